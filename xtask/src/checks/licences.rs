//! `licences`: what every dependency may be used under, as an SPDX expression against an allow-list.

use crate::{
    report::{Check, Finding, Report},
    workspace::Workspace,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "licences",
    protects: "everything shipped may be used under a licence that asks no more than its notice",
    run,
};

/// Licences that ask for their notice to be kept, and no more. `deny.toml` repeats the list.
pub(crate) const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn run(workspace: &Workspace) -> Report {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let at = format!("{} {}", package.name, package.version);
        let remedy = "replace the dependency; or add the licence to ALLOWED in xtask/src/checks/licences.rs and to deny.toml, with the reason in the commit";
        match package.license.as_deref().map(allowed) {
            None => findings.push(Finding::new(at, "declares no SPDX licence", remedy)),
            Some(Ok(true)) => {}
            Some(Ok(false)) => {
                let broken = format!(
                    "is under `{}`, which the allow-list does not satisfy",
                    package.license.as_deref().unwrap_or_default()
                );
                findings.push(Finding::new(at, broken, remedy));
            }
            Some(Err(error)) => findings.push(Finding::new(at, error, remedy)),
        }
    }
    Report::of(findings, format!("{} packages", workspace.packages.len()))
}

/// Whether the allow-list satisfies the expression.
fn allowed(expression: &str) -> Result<bool, String> {
    // Manifests older than SPDX expressions write `/` for OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { tokens: &tokens, at: 0 };
    match parser.any() {
        Some(verdict) if parser.at == tokens.len() => Ok(verdict),
        _ => Err(format!("`{expression}` is no SPDX expression")),
    }
}

/// `any := all (OR all)*`, `all := one (AND one)*`, `one := "(" any ")" | id [WITH exception]`.
struct Parser<'a> {
    tokens: &'a [&'a str],
    at: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut verdict = self.all()?;
        while self.take("OR") {
            verdict |= self.all()?;
        }
        Some(verdict)
    }

    fn all(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let verdict = self.any()?;
            return self.take(")").then_some(verdict);
        }
        let id = *self.tokens.get(self.at).filter(|token| !["OR", "AND", "WITH", ")"].contains(token))?;
        self.at += 1;
        // An exception only ever grants more, so the licence alone decides.
        if self.take("WITH") {
            self.at += usize::from(self.tokens.get(self.at).is_some());
        }
        Some(ALLOWED.contains(&id))
    }

    fn take(&mut self, token: &str) -> bool {
        let taken = self.tokens.get(self.at) == Some(&token);
        self.at += usize::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Package;

    #[test]
    fn one_allowed_alternative_is_enough() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "ISC AND (Apache-2.0 OR ISC)",
        ] {
            assert_eq!(allowed(good), Ok(true), "{good}");
        }
    }

    #[test]
    fn every_part_of_a_conjunction_must_be_allowed() {
        for bad in
            ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND (GPL-3.0 OR AGPL-3.0)", "MIT AND SSPL-1.0 OR GPL-2.0"]
        {
            assert_eq!(allowed(bad), Ok(false), "{bad}");
        }
    }

    #[test]
    fn what_is_no_expression_is_reported() {
        for bad in ["", "MIT OR", "(MIT", "MIT GPL-3.0", "AND"] {
            assert!(allowed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_copyleft_and_an_unlicensed_dependency_are_reported() {
        let package = |name: &str, license: Option<&str>| Package {
            name: name.into(),
            license: license.map(str::to_owned),
            ..Package::default()
        };
        let packages =
            vec![package("fine", Some("MIT")), package("copyleft", Some("AGPL-3.0-only")), package("silent", None)];
        let findings = run(&Workspace { packages, ..Workspace::default() }).findings;
        assert_eq!(findings.len(), 2);
        assert!(findings[0].broken.contains("AGPL-3.0-only") && findings[1].broken.contains("no SPDX licence"));
    }
}
