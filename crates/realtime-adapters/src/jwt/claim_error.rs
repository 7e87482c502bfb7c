//! Which claim is wrong, and how. None of these repeats a claim's contents.

use realtime_schema::FieldError;

/// A claim that refuses its token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("claim `{path}` {problem}")]
pub(super) struct ClaimError {
    path: String,
    problem: ClaimProblem,
}

/// What is wrong with a claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ClaimProblem {
    #[error("is missing")]
    Missing,
    #[error("is not a string")]
    NotAString,
    #[error(
        "is a number, and a user id is a string; set `claims.integer_subject` to accept whole numbers, or name another \
         claim in `claims.subject`"
    )]
    NumericSubject,
    #[error("is not a whole number")]
    NotAWholeNumber,
    #[error("is a negative number; a user that is a number is 0 or more")]
    NegativeNumber,
    #[error("is not a number of seconds")]
    NotSeconds,
    #[error("is not between 1970 and 9999; it counts seconds, not milliseconds")]
    OutOfRange,
    #[error("is neither a string nor an array of strings")]
    NotStrings,
    #[error("has an entry that is not a string")]
    EntryNotAString,
    #[error(
        "has an entry that is not ACTION:PATTERN with one of subscribe, publish, history, presence and a valid pattern"
    )]
    NotAGrant,
    #[error("is not an object")]
    NotAnObject,
    #[error("leads through a non-object")]
    ThroughNonObject,
    #[error("does not have the value that is required here")]
    OtherValue,
    /// What the rules of names say: lengths and code points, never the name.
    #[error("{0}")]
    Name(String),
}

impl ClaimProblem {
    pub(super) fn of(self, path: &str) -> ClaimError {
        ClaimError { path: path.to_owned(), problem: self }
    }
}

impl From<FieldError> for ClaimProblem {
    fn from(error: FieldError) -> Self {
        Self::Name(error.message)
    }
}
