//! Regular expressions of schemas: the linear engine's, and by name what it does not have.

/// What a `pattern` uses that only an engine with backtracking has.
pub(crate) fn unsupported(pattern: &str) -> Option<&'static str> {
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let escaped = after.chars().next();
                match escaped {
                    Some('1'..='9') if !in_class => return Some("a backreference"),
                    Some('k') if after[1..].starts_with('<') => return Some("a named backreference"),
                    _ => {}
                }
                rest = &after[escaped.map_or(0, char::len_utf8)..];
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => {
                for (start, name) in [
                    ("?=", "look-ahead"),
                    ("?!", "negative look-ahead"),
                    ("?<=", "look-behind"),
                    ("?<!", "negative look-behind"),
                ] {
                    if after.starts_with(start) {
                        return Some(name);
                    }
                }
            }
            _ => {}
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_around_and_backreferences_are_named() {
        assert_eq!(unsupported("^(?=a)"), Some("look-ahead"));
        assert_eq!(unsupported("a(?!b)c"), Some("negative look-ahead"));
        assert_eq!(unsupported("(?<=a)b"), Some("look-behind"));
        assert_eq!(unsupported("(?<!a)b"), Some("negative look-behind"));
        assert_eq!(unsupported(r"(a)\1"), Some("a backreference"));
        assert_eq!(unsupported(r"(?<n>a)\k<n>"), Some("a named backreference"));
    }

    #[test]
    fn what_only_looks_like_it_is_none() {
        for pattern in [r"\(?=a", "[(?=]", r"\\(?:1)", r"[\1]", "(?<name>a)", "(?i)a", r"\d{1,3}", "é(?:ü)", r"\k"] {
            assert_eq!(unsupported(pattern), None, "{pattern}");
        }
    }
}
