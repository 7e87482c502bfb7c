//! The library's comparison of schemas as sets. It is experimental, so this is the only place that knows it.

use std::{panic, thread};

use jsonschema::{
    Registry,
    canonical::{CanonicalSchema, Containment, Satisfiability},
};
use serde_json::Value;

use super::{
    apart::apart,
    change::Example,
    covers::{Coverage, Side},
};
use crate::formats;

/// The stack of a comparison: the library recurses.
const STACK: usize = 64 * 1024 * 1024;

/// What the library says. An error or a panic of it is no answer.
pub(crate) fn covers(wide: Side<'_>, narrow: Side<'_>) -> Coverage {
    let unknown = |why: &str| Coverage::Unknown(why.to_owned());
    thread::scope(|scope| {
        let work = || panic::catch_unwind(panic::AssertUnwindSafe(|| compared(wide, narrow)));
        let Ok(thread) = thread::Builder::new().name("compare".into()).stack_size(STACK).spawn_scoped(scope, work)
        else {
            return unknown("no thread could be started for the comparison");
        };
        match thread.join() {
            Ok(Ok(coverage)) => coverage,
            _ => unknown("the comparison of the schemas failed"),
        }
    })
}

fn compared(wide: Side<'_>, narrow: Side<'_>) -> Coverage {
    let unknown = |why: String| Coverage::Unknown(why);
    let (wide, narrow) = match (canonical(wide, "wide"), canonical(narrow, "narrow")) {
        (Ok(wide), Ok(narrow)) => (wide, narrow),
        (Err(why), _) | (_, Err(why)) => return unknown(why),
    };
    match wide.covers(&narrow) {
        Ok(Containment::Yes) => Coverage::Yes,
        Ok(Containment::No) => match narrow.subtract(&wide) {
            // Nothing is lost that could be named: the two answers contradict each other.
            Ok(lost) if lost.satisfiability() == Satisfiability::No => unknown("the library contradicts itself".into()),
            Ok(lost) => Coverage::No(Example::Schema(lost.to_json_schema())),
            Err(_) => Coverage::No(Example::Words("some payloads, which could not be described".into())),
        },
        Ok(_) => unknown("neither an example nor a proof was found".into()),
        Err(error) => unknown(format!("the schemas can't be compared: {error}")),
    }
}

fn canonical(side: Side<'_>, name: &str) -> Result<CanonicalSchema, String> {
    let failed = |error: &dyn std::fmt::Display| format!("a schema can't be compared: {error}");
    // Each side has a base of its own: one URI may not have two contents.
    let uri = |path: &crate::schema_path::SchemaPath| format!("{name}:///{path}");
    let files: Vec<(String, Value)> =
        side.contract.files().iter().map(|(path, schema)| (uri(path), apart(schema))).collect();
    let resources = files.iter().map(|(uri, schema)| (uri.as_str(), schema));
    let registry =
        Registry::new().extend(resources).and_then(|builder| builder.prepare()).map_err(|error| failed(&error))?;
    let schema = side.contract.files().get(side.path).map(apart).unwrap_or_default();
    jsonschema::canonical::options()
        .with_registry(&registry)
        .with_base_uri(uri(side.path))
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(formats::patterns())
        .canonicalize(&schema)
        .map_err(|error| failed(&error))
}
