//! An error with its causes in one line.

use std::error::Error;

/// The message of `error` and of each of its causes, with colons between. A cause that the message before it already
/// contains is not repeated.
pub fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = cause.source();
    }
    text
}
