//! The types of a contract: a shape for each schema that has a name of its own.

use std::collections::BTreeMap;

use jsonschema::Draft;
use serde_json::Value;

use super::{
    names::Names,
    shape::{Field, Object, Rest, Shape},
    text::comment,
};
use crate::{
    contract::Contract, fault::SchemaFault, files::SchemaFiles, graph::resolve, schema_path::SchemaPath, vet::draft,
    walk::escaped,
};

/// A type with a name.
pub(crate) struct NamedType {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// Its description, as one line; may be empty.
    pub(crate) doc: String,
}

/// The types of a contract.
pub(crate) struct Types {
    pub(crate) list: Vec<NamedType>,
    /// The type of the payload of each message schema.
    pub(crate) payloads: BTreeMap<SchemaPath, usize>,
    pub(crate) names: Names,
    pub(crate) warnings: Vec<SchemaFault>,
}

impl Types {
    pub(crate) fn of(contract: &Contract) -> Self {
        let mut builder = Builder {
            files: contract.files(),
            index: BTreeMap::new(),
            pending: Vec::new(),
            names: Names::default(),
            warnings: Vec::new(),
        };
        let mut payloads = BTreeMap::new();
        for path in contract.bindings().iter().flat_map(|binding| binding.messages.values()) {
            let (path, _) = contract.files().iter().find(|(known, _)| *known == path).expect("it was compiled");
            payloads.insert(path.clone(), builder.named(path, String::new()));
        }
        let mut list = Vec::new();
        while let Some((file, pointer, name)) = builder.pending.get(list.len()).cloned() {
            let schema = builder.files.get(file).and_then(|schema| schema.pointer(&pointer)).expect("it was resolved");
            let shape = builder.shape(&Place { file, pointer }, schema, &[]);
            list.push(NamedType { name, shape, doc: doc(schema) });
        }
        Self { list, payloads, names: builder.names, warnings: builder.warnings }
    }
}

/// Where a schema stands.
struct Place<'f> {
    file: &'f SchemaPath,
    pointer: String,
}

impl<'f> Place<'f> {
    fn at(&self, step: &str) -> Self {
        Self { file: self.file, pointer: format!("{}{step}", self.pointer) }
    }
}

struct Builder<'f> {
    files: &'f SchemaFiles,
    index: BTreeMap<(&'f SchemaPath, String), usize>,
    /// The named schemas in the order of their numbers.
    pending: Vec<(&'f SchemaPath, String, String)>,
    names: Names,
    warnings: Vec<SchemaFault>,
}

/// Keywords that only narrow, and that no type can say.
const NOT_EXPRESSED: [&str; 5] = ["if", "not", "dependentSchemas", "dependencies", "contains"];

/// Keywords that speak of values of one type, whose type is missing.
const OF_A_TYPE: [&str; 12] = [
    "properties",
    "patternProperties",
    "additionalProperties",
    "required",
    "items",
    "prefixItems",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "format",
];

impl<'f> Builder<'f> {
    /// The number of the type of a schema.
    fn named(&mut self, file: &'f SchemaPath, pointer: String) -> usize {
        if let Some(known) = self.index.get(&(file, pointer.clone())) {
            return *known;
        }
        let stem = file.as_str().rsplit('/').next().unwrap_or_default();
        let stem = stem.split('.').next().unwrap_or_default();
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let name = self.names.take(&format!("{stem} {last}"));
        let number = self.pending.len();
        self.index.insert((file, pointer.clone()), number);
        self.pending.push((file, pointer, name));
        number
    }

    fn warn(&mut self, place: &Place<'_>, keyword: &str, message: &str) {
        self.warnings.push(SchemaFault::at(place.file, format!("{}{keyword}", place.pointer), message));
    }

    fn unknown(&mut self, place: &Place<'_>, keyword: &str, message: &str) -> Shape {
        self.warn(place, keyword, message);
        Shape::Unknown(Some(comment(message)))
    }

    /// The shape of a schema; `around` are the types that the schemas around it give to the same value.
    fn shape(&mut self, place: &Place<'f>, schema: &'f Value, around: &[&str]) -> Shape {
        match schema {
            Value::Bool(false) => return Shape::Never,
            Value::Object(_) => {}
            _ => return Shape::ANY,
        }
        let mut parts = Vec::new();
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let (file, pointer, _) = resolve(self.files, place.file, reference).expect("it was resolved before");
            parts.push(Shape::Named(self.named(file, pointer)));
            if self.files.get(place.file).and_then(draft) == Some(Draft::Draft7) {
                return Shape::all(parts);
            }
        }
        if schema.get("$dynamicRef").is_some() {
            return self.unknown(
                place,
                "/$dynamicRef",
                "a dynamic reference has no type; the payload is checked all the same",
            );
        }
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => around.to_vec(),
        };
        if let Some(value) = schema.get("const") {
            parts.push(Shape::literal(value));
        } else if let Some(Value::Array(options)) = schema.get("enum") {
            parts.push(Shape::union(options.iter().map(Shape::literal)));
        } else if !types.is_empty() {
            let kinds: Vec<_> = types.iter().map(|kind| self.of_type(kind, place, schema)).collect();
            parts.push(Shape::union(kinds));
        } else if let Some(keyword) = OF_A_TYPE.iter().find(|keyword| schema.get(**keyword).is_some()) {
            let message = format!("`{keyword}` without a `type` leaves values of other types open; give the type");
            parts.push(self.unknown(place, "", &message));
        }
        for (at, child) in list(schema, "allOf").enumerate() {
            parts.push(self.shape(&place.at(&format!("/allOf/{at}")), child, &types));
        }
        for keyword in ["anyOf", "oneOf"] {
            if schema.get(keyword).is_some() {
                let options: Vec<_> = list(schema, keyword)
                    .enumerate()
                    .map(|(at, child)| self.shape(&place.at(&format!("/{keyword}/{at}")), child, &types))
                    .collect();
                parts.push(Shape::union(options));
            }
        }
        for keyword in NOT_EXPRESSED {
            if schema.get(keyword).is_some() {
                self.warn(place, &format!("/{keyword}"), "is not expressed in the types; it is checked all the same");
            }
        }
        Shape::all(parts)
    }

    fn of_type(&mut self, kind: &str, place: &Place<'f>, schema: &'f Value) -> Shape {
        match kind {
            "null" => Shape::Null,
            "boolean" => Shape::Boolean,
            "number" => Shape::Number,
            "integer" => Shape::Integer,
            "string" => Shape::Text,
            "array" => self.array(place, schema),
            "object" => self.object(place, schema),
            _ => Shape::ANY,
        }
    }

    fn array(&mut self, place: &Place<'f>, schema: &'f Value) -> Shape {
        // Draft-07 has a list in `items`, and the rest in `additionalItems`.
        let (places, rest) = match schema.get("items") {
            Some(Value::Array(_)) => ("items", "additionalItems"),
            _ => ("prefixItems", "items"),
        };
        let items: Vec<_> = list(schema, places)
            .enumerate()
            .map(|(at, child)| self.shape(&place.at(&format!("/{places}/{at}")), child, &[]))
            .collect();
        let rest = schema.get(rest).map_or(Shape::ANY, |child| self.shape(&place.at(&format!("/{rest}")), child, &[]));
        if items.is_empty() && rest != Shape::Never {
            return Shape::Array(Box::new(rest));
        }
        let at_least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let required = usize::try_from(at_least).unwrap_or(usize::MAX).min(items.len());
        let rest = (rest != Shape::Never).then(|| Box::new(rest));
        Shape::Tuple { items, required, rest }
    }

    fn object(&mut self, place: &Place<'f>, schema: &'f Value) -> Shape {
        let mut object = Object::default();
        for (name, child) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let shape = self.shape(&place.at(&format!("/properties/{}", escaped(name))), child, &[]);
            object.fields.insert(name.clone(), Field { shape, required: false, doc: doc(child) });
        }
        object.rest = match schema.get("additionalProperties") {
            None | Some(Value::Bool(true)) => Rest::Open,
            Some(Value::Bool(false)) => Rest::Closed,
            Some(child) => match self.shape(&place.at("/additionalProperties"), child, &[]) {
                Shape::Unknown(_) => Rest::Open,
                shape => Rest::Of(Box::new(shape)),
            },
        };
        let has_patterns =
            schema.get("patternProperties").and_then(Value::as_object).is_some_and(|map| !map.is_empty());
        if has_patterns {
            self.warn(place, "/patternProperties", "is not expressed in the types: such fields have any value there");
            object.rest = Rest::Open;
        } else if schema.get("unevaluatedProperties") == Some(&Value::Bool(false)) {
            object.rest = Rest::Closed;
        }
        for name in list(schema, "required").filter_map(Value::as_str) {
            let unnamed = || Field {
                shape: if let Rest::Of(shape) = &object.rest { (**shape).clone() } else { Shape::ANY },
                required: true,
                doc: String::new(),
            };
            let unnamed = unnamed();
            object.fields.entry(name.to_owned()).or_insert(unnamed).required = true;
        }
        Shape::Object(object)
    }
}

fn list<'f>(schema: &'f Value, keyword: &str) -> impl Iterator<Item = &'f Value> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

/// A description as one line, with the format.
fn doc(schema: &Value) -> String {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
    let deprecated = (schema.get("deprecated") == Some(&Value::Bool(true))).then(|| "@deprecated".to_owned());
    let format = text("format").map(|format| format!("Format: {}.", comment(format)));
    let parts = [text("description").map(comment), format, deprecated];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
