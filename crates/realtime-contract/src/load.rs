//! Reads the schema files of a contract: the only input of this crate.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::Read,
    path::Path,
};

use crate::{
    binding::Binding,
    fault::{SchemaFault, SchemaFaults},
    files::{Collected, SchemaFiles, referred},
    limits::FILE_BYTES,
    schema_path::SchemaPath,
};

/// Reads the files that `bindings` name below `directory`, and those that they refer to. Nothing else is read: no other
/// directory, no network. A symbolic link may only lead to a file below `directory`.
pub(crate) fn load(bindings: &[Binding], directory: &Path) -> Result<SchemaFiles, SchemaFaults> {
    let named = bindings.iter().flat_map(|binding| binding.messages.values());
    let mut pending: VecDeque<(SchemaPath, Option<(SchemaPath, String)>)> =
        named.map(|path| (path.clone(), None)).collect();
    if pending.is_empty() {
        return Ok(SchemaFiles::default());
    }
    let root = fs::canonicalize(directory)
        .map_err(|error| SchemaFault::of_the_set(format!("the directory of the schemas can't be read: {error}")))?;
    let (mut collected, mut faults) = (Collected::default(), Vec::new());
    let mut seen = std::collections::BTreeSet::new();
    while let Some((path, by)) = pending.pop_front() {
        if !seen.insert(path.clone()) {
            continue;
        }
        // A file that is only referred to is missing in the file that refers to it.
        let place = |message: String| match &by {
            None => SchemaFault::at(&path, "", message),
            Some((file, pointer)) => SchemaFault::at(file, pointer.clone(), format!("`{path}`: {message}")),
        };
        let added = read(&root, &path).map_err(&place).and_then(|text| collected.add(&path, &text));
        if let Err(fault) = added {
            faults.push(fault);
            continue;
        }
        let schema = collected.files.get(&path).expect("it was added");
        for (pointer, file) in referred(&path, schema) {
            match file {
                Ok(file) => pending.push_back((file, Some((path.clone(), pointer)))),
                Err(message) => faults.push(SchemaFault::at(&path, pointer, message)),
            }
        }
    }
    SchemaFaults::unless(faults, collected.files)
}

/// The text of a file below `root`, which is canonical.
fn read(root: &Path, path: &SchemaPath) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("can't be read: {error}");
    let real = fs::canonicalize(root.join(path.as_str())).map_err(unreadable)?;
    if !real.starts_with(root) {
        return Err("is a link that leaves the configuration's directory".into());
    }
    // Before it is opened: a pipe would wait for a writer.
    if !fs::metadata(&real).map_err(unreadable)?.is_file() {
        return Err("is not a file".into());
    }
    let mut text = String::new();
    File::open(&real).and_then(|file| file.take(FILE_BYTES + 1).read_to_string(&mut text)).map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
