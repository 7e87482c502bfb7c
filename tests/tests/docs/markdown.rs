//! As much of Markdown as the documents use: fenced blocks, code spans, sections and tables.

use std::collections::BTreeSet;

/// A fenced block.
pub(super) struct Block<'a> {
    pub(super) language: &'a str,
    /// The line above it.
    pub(super) above: &'a str,
    pub(super) text: String,
    pub(super) line: usize,
}

pub(super) fn blocks(markdown: &str) -> Vec<Block<'_>> {
    let lines: Vec<_> = markdown.lines().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < lines.len() {
        if let Some(language) = lines[at].trim_start().strip_prefix("```") {
            let length = lines[at + 1..].iter().position(|line| line.trim() == "```").expect("a fence that ends");
            let above = at.checked_sub(1).map_or("", |above| lines[above]);
            found.push(Block { language, above, text: lines[at + 1..][..length].join("\n"), line: at + 1 });
            at += length + 1;
        }
        at += 1;
    }
    found
}

/// What stands between back-ticks, outside of fenced blocks.
pub(super) fn code_spans(markdown: &str) -> BTreeSet<&str> {
    let outside = markdown.split("```").step_by(2);
    outside.flat_map(|text| text.lines()).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// What stands under a heading, up to the next one of any level.
pub(super) fn section<'a>(markdown: &'a str, heading: &str) -> &'a str {
    let start = markdown.find(&format!("# {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let body = &markdown[start + heading.len() + 2..];
    body.find("\n#").map_or(body, |end| &body[..end])
}

/// The tables of a section: of each its rows, without the head.
pub(super) fn tables(section: &str) -> Vec<Vec<Vec<&str>>> {
    let mut found = vec![Vec::new()];
    for line in section.lines() {
        match (line.strip_prefix('|'), found.last_mut()) {
            (Some(row), Some(table)) => {
                table.push(row.trim_end_matches('|').split(" | ").map(|cell| cell.trim()).collect());
            }
            (None, Some(table)) if !table.is_empty() => found.push(Vec::new()),
            _ => {}
        }
    }
    found.pop_if(|table| table.is_empty());
    found.into_iter().map(|table| table.into_iter().skip(2).collect()).collect()
}
