//! The paths that everything is served under.

use super::problems::Problems;

/// Paths of the HTTP side, below which there can be no WebSocket endpoint.
const TAKEN: [&str; 6] = ["api", "healthz", "readyz", "metrics", "console", "dev"];

/// Checks `server.path` and `server.base_path`.
pub(super) fn check(path: &str, base: &str, problems: &mut Problems) {
    match segments(path) {
        Ok(segments) if segments.is_empty() => problems.add("server.path", "is empty; write a path such as `/ws`"),
        Ok(segments) if TAKEN.contains(&segments[0]) => {
            let what = format!(
                "`{path}` is within `/{}`, which has a use of its own; write a path such as `/ws`",
                segments[0]
            );
            problems.add("server.path", what);
        }
        Ok(_) => {}
        Err(what) => problems.add("server.path", format!("`{path}` {what}; write a path such as `/ws`")),
    }
    if let Err(what) = segments(base) {
        let what = format!("`{base}` {what}; write a prefix such as `/realtime`, or nothing");
        problems.add("server.base_path", what);
    }
}

/// The segments of a path that begins with `/` and does not end in one.
fn segments(path: &str) -> Result<Vec<&str>, &'static str> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = path.strip_prefix('/') else { return Err("does not begin with `/`") };
    let segments: Vec<_> = rest.split('/').collect();
    if segments.contains(&"") {
        return Err("ends in `/` or has two in a row");
    }
    if segments.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err("has a segment `.` or `..`, which clients resolve");
    }
    // RFC 3986 section 2.3: what needs no escape and has no other meaning.
    if rest.contains(|c: char| !c.is_ascii_alphanumeric() && !"-._~/".contains(c)) {
        return Err("has other characters than letters, digits, `-`, `.`, `_`, `~` and `/`");
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, base: &str) -> Vec<String> {
        let mut problems = Problems::default();
        check(path, base, &mut problems);
        problems.into_list().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_path_is_written_as_clients_send_it() {
        for (path, base) in [("/ws", ""), ("/realtime/v1/socket", "/chat"), ("/cable", "/a/b-c_d.e~f"), ("/apis", "")] {
            assert_eq!(problems(path, base), [] as [&str; 0], "{base}{path}");
        }
    }

    #[test]
    fn a_path_that_no_request_can_have_is_refused_with_an_example() {
        let paths = ["", "/", "ws", "/ws/", "//ws", "/w s", "/ws?a", "/{id}", "/*", "/a/../b", "/ü", "/%61", "/api/ws"];
        for path in paths.into_iter().chain(["/healthz", "/metrics", "/console", "/dev/token"]) {
            let found = problems(path, "");
            assert!(
                found.len() == 1 && found[0].contains("server.path") && found[0].contains("`/ws`"),
                "{path}: {found:?}"
            );
        }
        for base in ["/", "realtime", "/realtime/", "//", "/r t", "/{id}"] {
            let found = problems("/ws", base);
            assert!(found.len() == 1 && found[0].contains("server.base_path"), "{base}: {found:?}");
        }
    }
}
