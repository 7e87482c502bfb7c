//! Text of an application in the text of a program: it never ends a comment or a string.

use std::fmt::Write as _;

/// One line for a comment of any language.
pub(crate) fn comment(text: &str) -> String {
    const LONGEST: usize = 300;
    let line: String = text
        .chars()
        // Line ends of any language, and characters that show a text in another order than it has.
        .map(|c| if c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}') { ' ' } else { c })
        .take(LONGEST)
        .collect();
    // A backslash at the end of a line continues it in some tools.
    line.replace("*/", "* /").replace("/*", "/ *").replace('\\', "/").trim().to_owned()
}

/// A string of TypeScript. JSON is one, but for characters that old tools take for line ends.
pub(crate) fn typescript(text: &str) -> String {
    let json = serde_json::to_string(text).expect("a text is JSON");
    json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A string of Python, in ASCII.
pub(crate) fn python(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => write!(quoted, "\\U{:08x}", u32::from(c)).expect("a string takes it"),
        }
    }
    quoted.push('"');
    quoted
}
