//! The paths of keys: `limits.connections`, `namespaces[0].pattern`.

/// What every setting's environment variable begins with.
pub(super) const PREFIX: &str = "REALTIME_";

/// The path of a key within the one before it.
pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// A path without the positions in lists: `namespaces[0].pattern` is `namespaces.pattern`.
pub(super) fn plain(path: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// The environment variable of a key.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}
