//! What is read from a directory, and what is not.

use std::fs;

use super::*;

/// A directory with files.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    directory
}

fn loaded(path: &str, directory: &Path) -> Result<Vec<String>, String> {
    let binding = Binding::new("all".parse().expect("a pattern"))
        .with("t".parse().expect("a type"), path.parse().expect("a path"));
    let files = load(&[binding], directory).map_err(|faults| faults.to_string())?;
    Ok(files.iter().map(|(path, _)| path.to_string()).collect())
}

#[test]
fn what_a_schema_refers_to_is_read_with_it() {
    let files = [
        ("s/a.json", r#"{"items":{"$ref":"b.json#/x"},"not":{"$ref":"c/c.json"}}"#),
        ("s/b.json", r#"{"$ref":"a.json"}"#),
        ("s/c/c.json", r##"{"enum":[{"$ref":"never.json"}],"$ref":"#/$defs/x"}"##),
        ("s/d.json", "{}"),
    ];
    let directory = directory(&files);
    assert_eq!(loaded("s/a.json", directory.path()).expect("files"), ["s/a.json", "s/b.json", "s/c/c.json"]);
}

#[test]
fn without_bindings_nothing_is_read() {
    assert_eq!(load(&[], Path::new("/no/such/directory")), Ok(SchemaFiles::default()));
}

#[test]
fn a_missing_file_is_named_where_it_is_referred_to() {
    let directory = directory(&[("a.json", r#"{"items":{"$ref":"b.json"}}"#)]);
    let message = loaded("a.json", directory.path()).expect_err("missing");
    assert!(message.starts_with("a.json at /items/$ref: `b.json`: can't be read: No such file"), "{message}");
    let message = loaded("none.json", directory.path()).expect_err("missing");
    assert!(message.starts_with("none.json: can't be read: No such file"), "{message}");
}

#[test]
fn nothing_outside_the_directory_is_read() {
    let outside = directory(&[("secret.json", "{}"), ("sub/x.json", "{}")]);
    let inside = directory(&[("real.json", "{}"), ("up.json", r#"{"$ref":"../secret.json"}"#)]);
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, inside.path().join(name)).expect("a link");
    link(&outside.path().join("secret.json"), "link.json");
    link(&outside.path().join("sub"), "sub");
    link(&inside.path().join("real.json"), "fine.json");
    for path in ["link.json", "sub/x.json"] {
        let message = loaded(path, inside.path()).expect_err("it leaves the directory");
        assert!(message.contains("a link that leaves the configuration's directory"), "{message}");
    }
    assert_eq!(loaded("fine.json", inside.path()).expect("files"), ["fine.json"]);
    assert!(loaded("up.json", inside.path()).expect_err("refused").contains("has `..`"));
}

#[test]
fn a_directory_and_a_device_are_no_schema() {
    let directory = directory(&[("folder/x.json", "{}")]);
    assert_eq!(loaded("folder", directory.path()).expect_err("a folder"), "folder: is not a file");
    std::os::unix::fs::symlink("/dev/zero", directory.path().join("zero")).expect("a link");
    assert!(loaded("zero", directory.path()).is_err());
}

#[test]
fn files_are_bounded_in_size_in_number_and_in_all() {
    let large = format!("{{\"title\":\"{}\"}}", "x".repeat(FILE_BYTES as usize));
    let directory = directory(&[("a.json", &large)]);
    assert!(loaded("a.json", directory.path()).expect_err("too large").contains("more than 262144 bytes"));
    for at in 0..300 {
        let text = format!(r#"{{"$ref":"f{}.json"}}"#, at + 1);
        fs::write(directory.path().join(format!("f{at}.json")), text).expect("a file");
    }
    assert!(loaded("f0.json", directory.path()).expect_err("too many").contains("more than 256 schema files"));
    let half = format!("{{\"title\":\"{}\"", "x".repeat(FILE_BYTES as usize - 100));
    for at in 0..20 {
        let text = format!(r#"{half},"$ref":"f{}.json"}}"#, at + 1);
        fs::write(directory.path().join(format!("f{at}.json")), text).expect("a file");
    }
    assert!(loaded("f0.json", directory.path()).expect_err("too much").contains("more than 4194304 bytes"));
}
