//! Names of types: identifiers of every language, each once, whatever the text that they come from.

use std::collections::BTreeSet;

/// Names that a generated type must not have: they have a meaning in a generated file, or in its language.
const RESERVED: &[&str] = &[
    "Array",
    "False",
    "Literal",
    "Message",
    "NoReturn",
    "None",
    "Object",
    "Record",
    "Streams",
    "Topics",
    "True",
    "TypeAlias",
    "TypedDict",
    "Union",
];

/// Gives out names.
#[derive(Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// A name that is like `text`, in `PascalCase` of ASCII, and was not given out before. Names that differ in case alone
    /// are taken for equal.
    pub(crate) fn take(&mut self, text: &str) -> String {
        let mut base = pascal(text);
        if !base.starts_with(|c: char| c.is_ascii_alphabetic()) || RESERVED.contains(&base.as_str()) {
            base.insert_str(0, "Type");
        }
        let numbered = (2..).map(|n| format!("{base}{n}"));
        let free =
            std::iter::once(base.clone()).chain(numbered).find(|name| !self.0.contains(&name.to_ascii_lowercase()));
        let name = free.expect("there are more numbers than names");
        self.0.insert(name.to_ascii_lowercase());
        name
    }
}

/// The words of a text, each with a capital: at most 60 characters.
pub(crate) fn pascal(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words
        .flat_map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase().chars().chain(rest.chars()).collect::<Vec<_>>()
        })
        .take(60)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_a_name_of_its_own() {
        let mut names = Names::default();
        let texts =
            ["order-updated", "order updated", "ORDER-updated", "", "1st", "__proto__", "Topics", "é", "class", "none"];
        let given: Vec<_> = texts.iter().map(|text| names.take(text)).collect();
        let expected = [
            "OrderUpdated",
            "OrderUpdated2",
            "ORDERUpdated3",
            "Type",
            "Type1st",
            "Proto",
            "TypeTopics",
            "Type2",
            "Class",
            "TypeNone",
        ];
        assert_eq!(given, expected);
    }
}
