//! What a check returns: findings, each with its place and its remedy, and what could not be checked here.

use crate::workspace::Workspace;

/// Whether a skip is a failure: in continuous integration (`CI=true`) everything a check needs must be installed.
pub(crate) fn strict() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// One rule of the workspace.
pub(crate) struct Check {
    /// The argument of `cargo xtask check` that runs this check alone.
    pub(crate) name: &'static str,
    /// What would be lost without it, in one line.
    pub(crate) protects: &'static str,
    /// Runs it.
    pub(crate) run: fn(&Workspace) -> Report,
}

/// One thing that is wrong.
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

/// The result of one check: without findings it passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Everything that is wrong, not only the first.
    pub(crate) findings: Vec<Finding>,
    /// What could not be checked on this machine, why, and what to install.
    pub(crate) skipped: Vec<String>,
    /// How much was checked: a check that looks at nothing would always pass.
    pub(crate) seen: String,
}

impl Report {
    pub(crate) fn of(findings: Vec<Finding>, seen: impl Into<String>) -> Self {
        Self { findings, skipped: Vec::new(), seen: seen.into() }
    }
}
