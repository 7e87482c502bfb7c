//! What a set of schemas must be before it is compiled: each fault with its file and its place.

use jsonschema::{Draft, ValidationError};
use serde_json::{Value, json};

use crate::{
    fault::SchemaFault,
    files::SchemaFiles,
    formats,
    graph::{Graph, Node},
    limits::FIELD_PATTERNS,
    pattern::unsupported,
    schema_path::SchemaPath,
    walk::escaped,
    wording::cut,
};

/// The dialects, by their `$schema` without a last `#`.
const DIALECTS: [(&str, Draft); 2] = [
    ("https://json-schema.org/draft/2020-12/schema", Draft::Draft202012),
    ("http://json-schema.org/draft-07/schema", Draft::Draft7),
];

/// The draft of a schema; `None` if it is neither 2020-12 nor draft-07. Without `$schema` it is 2020-12.
pub(crate) fn draft(schema: &Value) -> Option<Draft> {
    match schema.get("$schema") {
        None => Some(Draft::Draft202012),
        Some(dialect) => {
            let dialect = dialect.as_str()?.trim_end_matches('#');
            DIALECTS.iter().find(|(uri, _)| *uri == dialect).map(|(_, draft)| *draft)
        }
    }
}

/// The faults of all files.
pub(crate) fn vet(files: &SchemaFiles) -> Vec<SchemaFault> {
    let mut faults: Vec<_> = files.iter().filter_map(|(file, schema)| of_its_draft(file, schema).err()).collect();
    if !faults.is_empty() {
        return faults;
    }
    let (graph, broken) = Graph::of(files);
    faults.extend(broken);
    for node in &graph.nodes {
        faults.extend(nested_identifier(node));
        faults.extend(patterns(node));
    }
    if faults.is_empty() {
        faults.extend(graph.faults());
    }
    faults
}

/// Checks a file by the schema of its dialect.
fn of_its_draft(file: &SchemaPath, schema: &Value) -> Result<(), SchemaFault> {
    let result = match draft(schema) {
        Some(Draft::Draft7) => jsonschema::draft7::meta::validate(schema),
        Some(_) => jsonschema::draft202012::meta::validate(schema),
        None => {
            let known = DIALECTS.map(|(uri, _)| uri).join(" or ");
            return Err(SchemaFault::at(file, "/$schema", format!("is not a supported draft; give {known}")));
        }
    };
    result.map_err(|error: ValidationError<'_>| {
        SchemaFault::at(file, error.instance_path().as_str(), cut(&error.to_string()))
    })
}

/// `$id` below the root would change what the references around it mean.
fn nested_identifier(node: &Node<'_>) -> Option<SchemaFault> {
    let nested = !node.pointer.is_empty();
    let id = node.schema.get("$id").and_then(Value::as_str)?;
    if nested && !id.starts_with('#') {
        return Some(node.fault("/$id", "is allowed only at the root of a file; use `$anchor`, or a file of its own"));
    }
    let dialect = node.schema.get("$schema");
    (nested && dialect.is_some()).then(|| node.fault("/$schema", "is allowed only at the root of a file"))
}

/// The regular expressions of one subschema.
fn patterns(node: &Node<'_>) -> Vec<SchemaFault> {
    let own = node.schema.get("pattern").and_then(Value::as_str).map(|pattern| ("/pattern".to_owned(), pattern));
    let fields = node.schema.get("patternProperties").and_then(Value::as_object);
    let fields = fields
        .into_iter()
        .flatten()
        .map(|(pattern, _)| (format!("/patternProperties/{}", escaped(pattern)), pattern.as_str()));
    let count = fields.clone().count();
    let many = (count > FIELD_PATTERNS).then(|| {
        let message = format!("has {count} patterns, each tried on every field; at most {FIELD_PATTERNS} are allowed");
        node.fault("/patternProperties", message)
    });
    let refused = |(keyword, pattern): (String, &str)| {
        let message = if let Some(feature) = unsupported(pattern) {
            format!(
                "the pattern {} uses {feature}, which takes more than linear time and is not supported",
                cut(pattern)
            )
        } else if formats::options().build(&json!({"pattern": pattern})).is_err() {
            format!("the pattern {} is not a regular expression, or is too large when it is compiled", cut(pattern))
        } else {
            return None;
        };
        Some(node.fault(&keyword, message))
    };
    own.into_iter().chain(fields).filter_map(refused).chain(many).collect()
}
