//! What a check answers: the findings, each with its place and its remedy, and what could not be looked at.

use crate::workspace::Workspace;

/// Whether what was skipped is a failure: in continuous integration (`CI=true`) everything it needs is to be installed.
pub(crate) fn strict() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// One rule of the workspace.
pub(crate) struct Check {
    /// What to type after `cargo xtask check`.
    pub(crate) name: &'static str,
    /// What would be lost without it, in one line.
    pub(crate) protects: &'static str,
    /// Looks at the workspace and answers.
    pub(crate) run: fn(&Workspace) -> Report,
}

/// One thing that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file (and line), manifest or crate.
    pub(crate) at: String,
    /// What is wrong there.
    pub(crate) broken: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

impl Finding {
    pub(crate) fn new(at: impl Into<String>, broken: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { at: at.into(), broken: broken.into(), remedy: remedy.into() }
    }
}

/// The answer of one check: no findings means ok.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Everything that is broken, not only the first.
    pub(crate) findings: Vec<Finding>,
    /// What this machine could not look at, and why.
    pub(crate) skipped: Vec<String>,
    /// What was looked at, as a figure: a check that sees nothing would always be ok.
    pub(crate) seen: String,
}

impl Report {
    /// A complete look: `seen` says at how much.
    pub(crate) fn of(findings: Vec<Finding>, seen: impl Into<String>) -> Self {
        Self { findings, skipped: Vec::new(), seen: seen.into() }
    }

    /// A look that could not take place because of the workspace itself, which is a failure.
    pub(crate) fn broken(at: impl Into<String>, broken: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::of(vec![Finding::new(at, broken, remedy)], "")
    }
}
