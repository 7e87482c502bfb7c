//! Optional fields that are new in an open object. As sets, such a change narrows: any value was allowed under that name.
//! To people it is the usual, harmless change.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{
    covers::{Coverage, Side, covers},
    same::Place,
};
use crate::{binding::Binding, contract::Contract, files::SchemaFiles, schema_path::SchemaPath};

/// A new field.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NewField {
    pub(crate) name: String,
    file: SchemaPath,
    /// The object schema that has it.
    pointer: String,
}

/// The optional fields that objects of `new` have and the same objects of `old`, which are open, have not.
pub(crate) fn added(old: Side<'_>, new: Side<'_>) -> Vec<NewField> {
    let mut search = Search { found: Vec::new(), seen: HashSet::new() };
    search.pair(Place::root(old), Place::root(new), "");
    search.found.sort();
    search.found.dedup();
    search.found
}

struct Search {
    found: Vec<NewField>,
    seen: HashSet<(usize, usize)>,
}

impl Search {
    fn pair(&mut self, old: Place<'_>, new: Place<'_>, pointer: &str) {
        if !self.seen.insert((old.address(), new.address())) {
            return;
        }
        let reference = |place: Place<'_>| place.schema.get("$ref").and_then(Value::as_str).map(str::to_owned);
        if let (Some(before), Some(after)) = (reference(old), reference(new))
            && let (Some(old), Ok((file, pointer, schema))) =
                (old.target(&before), crate::graph::resolve(new.files, new.file, &after))
        {
            self.pair(old, Place { file, schema, ..new }, &pointer);
        }
        let fields =
            |place: Place<'_>| place.schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let (before, after) = (fields(old), new.schema.get("properties").and_then(Value::as_object));
        let is_open = matches!(old.schema.get("additionalProperties"), None | Some(Value::Bool(true)));
        let required = |name: &str| {
            let list = new.schema.get("required").and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|required| required == name))
        };
        for name in after.into_iter().flatten().map(|(name, _)| name) {
            if !before.contains_key(name) && is_open && old.schema.is_object() && !required(name) {
                self.found.push(NewField { name: name.clone(), file: new.file.clone(), pointer: pointer.to_owned() });
            }
        }
        for (step, _, child) in crate::walk::children(new.schema) {
            if step.starts_with("/$defs/") || step.starts_with("/definitions/") {
                continue;
            }
            if let Some(same) = old.schema.pointer(&step) {
                self.pair(old.part(same), new.part(child), &format!("{pointer}{step}"));
            }
        }
    }
}

/// Whether `new` without `fields` accepts all that `old` does.
pub(crate) fn is_all_that_narrows(old: Side<'_>, new: Side<'_>, fields: &[NewField]) -> bool {
    let mut schemas: BTreeMap<SchemaPath, Value> =
        new.contract.files().iter().map(|(path, schema)| (path.clone(), schema.clone())).collect();
    for field in fields {
        let pointer = format!("{}/properties", field.pointer);
        let place = schemas.get_mut(&field.file).and_then(|schema| schema.pointer_mut(&pointer));
        if let Some(members) = place.and_then(Value::as_object_mut) {
            members.remove(&field.name);
        }
    }
    let texts = schemas.into_iter().map(|(path, schema)| (path, schema.to_string()));
    let Ok(files) = SchemaFiles::parse(texts) else { return false };
    let binding =
        Binding::new(realtime_schema::StreamPattern::All).with("message".parse().expect("a type"), new.path.clone());
    let Ok(without) = Contract::compile(vec![binding], files) else { return false };
    matches!(covers(Side { contract: &without, path: new.path }, old), Coverage::Yes)
}
