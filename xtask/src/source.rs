//! Rust source as the scans see it: comments, literals and test modules blanked, line numbers kept.

/// A line number (from 1) and what was found there.
pub(crate) type Hit = (usize, String);

/// The source with comments and the contents of literals replaced by spaces; every line break stays.
pub(crate) fn code_only(text: &str) -> String {
    let source: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < source.len() {
        let end = match source[at] {
            '/' if source.get(at + 1) == Some(&'/') => line_end(&source, at),
            '/' if source.get(at + 1) == Some(&'*') => block_comment_end(&source, at),
            '"' => string_end(&source, at),
            '\'' => char_end(&source, at),
            'r' | 'b' | 'c' if !continues_a_word(&source, at) => raw_string_end(&source, at),
            _ => at,
        };
        if end == at {
            out.push(source[at]);
            at += 1;
        } else {
            out.extend(source[at..end].iter().map(|&char| if char == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Code (from [`code_only`]) without the items marked `#[cfg(test)]`.
pub(crate) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    while let Some(start) = out.find(MARK) {
        let end = item_end(&out, start + MARK.len());
        let blank: String = out[start..end].chars().map(|char| if char == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    out
}

/// Where `needle` stands in `code` as a whole path or name, not as part of a longer one.
pub(crate) fn find_word(code: &str, needle: &str) -> Vec<usize> {
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let (opens, closes) = (needle.starts_with(is_word), needle.ends_with(is_word));
    let found = code.match_indices(needle).filter(|(at, _)| {
        let before = code[..*at].chars().next_back();
        let after = code[at + needle.len()..].chars().next();
        !(opens && before.is_some_and(is_word) || closes && after.is_some_and(is_word))
    });
    found.map(|(at, _)| line_of(code, at)).collect()
}

/// Every path that a `use` of `code` brings in, groups written out: `use std::{fs, io};` is `std::fs` and `std::io`.
pub(crate) fn uses(code: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (at, _) in code.match_indices("use") {
        let before = code[..at].chars().next_back();
        let rest = &code[at + 3..];
        let statement =
            !before.is_some_and(|char| char.is_alphanumeric() || char == '_') && rest.starts_with(char::is_whitespace);
        if let (true, Some(end)) = (statement, rest.find(';')) {
            let tree: String = rest[..end].split_whitespace().collect::<Vec<_>>().join(" ");
            let mut paths = Vec::new();
            expand("", &tree, &mut paths);
            hits.extend(paths.into_iter().map(|path| (line_of(code, at), path)));
        }
    }
    hits
}

/// The line (from 1) of a byte offset.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    if let Some((head, group)) = tree.split_once('{') {
        let prefix = format!("{prefix}{}", head.trim().trim_start_matches("::"));
        let group = group.strip_suffix('}').unwrap_or(group);
        let (mut depth, mut start) = (0_usize, 0);
        for (at, char) in group.char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    expand(&prefix, &group[start..at], paths);
                    start = at + 1;
                }
                _ => {}
            }
        }
        expand(&prefix, &group[start..], paths);
    } else if !tree.is_empty() {
        let path = tree.split(" as ").next().unwrap_or(tree).trim().trim_start_matches("::");
        // `{self, ..}` names the module itself.
        let full = format!("{prefix}{path}");
        paths.push(full.trim_end_matches("::self").to_owned());
    }
}

fn line_end(source: &[char], at: usize) -> usize {
    source[at..].iter().position(|&char| char == '\n').map_or(source.len(), |length| at + length)
}

fn block_comment_end(source: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (0_usize, at);
    while at < source.len() {
        match (source[at], source.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    source.len()
}

fn string_end(source: &[char], at: usize) -> usize {
    let mut at = at + 1;
    while at < source.len() {
        match source[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    source.len()
}

/// The end of a character literal, or `at` when the quote opens a lifetime.
fn char_end(source: &[char], at: usize) -> usize {
    match (source.get(at + 1), source.get(at + 2)) {
        (Some('\\'), Some(_)) => {
            source[at + 3..].iter().position(|&char| char == '\'').map_or(source.len(), |length| at + 4 + length)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// The end of `r"…"`, `r#"…"#`, `br#"…"#` and the like, or `at` when this is a plain name.
fn raw_string_end(source: &[char], at: usize) -> usize {
    let mut open = at;
    while open < source.len() && matches!(source[open], 'r' | 'b' | 'c') && open - at < 2 {
        open += 1;
    }
    let raw = source[at..open].contains(&'r');
    let hashes = source[open..].iter().take_while(|&&char| char == '#').count();
    if source.get(open + hashes) != Some(&'"') || (hashes > 0 && !raw) {
        return at;
    }
    if !raw {
        return string_end(source, open);
    }
    let mut end = open + hashes + 1;
    while end < source.len() {
        let closed =
            source[end] == '"' && source[end + 1..].iter().take(hashes).filter(|&&char| char == '#').count() == hashes;
        if closed {
            return end + 1 + hashes;
        }
        end += 1;
    }
    source.len()
}

fn continues_a_word(source: &[char], at: usize) -> bool {
    at > 0 && (source[at - 1].is_alphanumeric() || source[at - 1] == '_')
}

/// The end of the item that begins at `at`: its closing brace, or its semicolon.
fn item_end(code: &str, at: usize) -> usize {
    let (mut round, mut curly) = (0_i32, 0_i32);
    for (offset, char) in code[at..].char_indices() {
        match char {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            '{' => curly += 1,
            '}' => {
                curly -= 1;
                if curly == 0 && round == 0 {
                    return at + offset + 1;
                }
            }
            ';' if curly == 0 && round == 0 => return at + offset + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = "let a = \"std::fs\"; // std::net\n/* tokio /* rand */ */ let b = r#\"println!\"#;\nlet c = '\"'; let d: &'a str = b\"x\\\"y\"; std::env";
        let code = code_only(text);
        assert_eq!(code.lines().count(), 3, "lines keep their numbers");
        for gone in ["std::fs", "std::net", "tokio", "rand", "println!", "x\\"] {
            assert!(!code.contains(gone), "{gone} is still there: {code}");
        }
        for kept in ["let a", "let b", "let d: &'a str", "std::env"] {
            assert!(code.contains(kept), "{kept} is gone: {code}");
        }
    }

    #[test]
    fn test_modules_are_left_out_and_what_follows_is_not() {
        let code = without_tests(
            "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { if x {} } }\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}",
        );
        assert!(code.contains("fn a") && code.contains("fn c") && code.contains("fn d"));
        assert!(!code.contains("fn b") && !code.contains("more"));
        assert_eq!(code.lines().count(), 7);
    }

    #[test]
    fn grouped_imports_are_written_out() {
        let paths: Vec<_> =
            uses("use std::{fs, collections::{self, HashMap as Map}};\npub use core::net::IpAddr;\nfn reuse() {}")
                .into_iter()
                .map(|(line, path)| format!("{line} {path}"))
                .collect();
        assert_eq!(paths, ["1 std::fs", "1 std::collections", "1 std::collections::HashMap", "2 core::net::IpAddr"]);
    }

    #[test]
    fn a_word_is_found_whole_only() {
        assert_eq!(find_word("operand::x rand::y\nrand", "rand"), [1, 2]);
        assert!(find_word("eprintln!(1)", "println!").is_empty());
        assert_eq!(find_word("MyMutex Mutex<u8>", "Mutex"), [1]);
    }
}
