//! The schemas that the document's operations share.

use std::collections::BTreeSet;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::contract::Contract;

/// The path of the schemas of responses, and finally of all schemas.
const SCHEMAS: &str = "/components/schemas";
/// The temporary path of the schemas of requests, until the differences from those of responses are known.
const REQUESTS: &str = "/components/requests";

/// Collects the schemas of all types in the operations, with the contract of their direction.
pub(super) struct Components {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
}

impl Components {
    pub(super) fn new() -> Self {
        Self { requests: Contract::In.generator(REQUESTS), responses: Contract::Out.generator(SCHEMAS) }
    }

    /// The schema of a request.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().into()
    }

    /// The same, inlined: for a query, whose fields become parameters.
    pub(super) fn fields<T: JsonSchema>(&mut self) -> Value {
        T::json_schema(&mut self.requests).into()
    }

    /// The schema of a response.
    pub(super) fn response<T: JsonSchema>(&mut self) -> Value {
        self.responses.subschema_for::<T>().into()
    }

    /// Puts all schemas into the document and corrects every reference to them. A type that differs between requests and
    /// responses becomes two: `Name` in responses and `NameInput` in requests.
    pub(super) fn finish(mut self, document: &mut Value) {
        let (requests, mut schemas) = (self.requests.take_definitions(true), self.responses.take_definitions(true));
        let twofold = twofold(&requests, &schemas);
        let name_of = |name: &str| if twofold.contains(name) { format!("{name}Input") } else { name.to_owned() };
        schemas.extend(requests.into_iter().map(|(name, schema)| (name_of(&name), schema)));
        document["components"]["schemas"] = schemas.into();
        each_reference(document, &mut |reference| {
            if let Some(name) = request_name(reference) {
                *reference = format!("#{SCHEMAS}/{}", name_of(name));
            }
        });
    }
}

/// The types that differ between requests and responses, in themselves or in the types that they refer to.
fn twofold(requests: &Map<String, Value>, responses: &Map<String, Value>) -> BTreeSet<String> {
    let mut twofold = BTreeSet::new();
    loop {
        let differs = |name: &str, request: &Value| {
            let (mut request, mut refers) = (request.clone(), false);
            each_reference(&mut request, &mut |reference| {
                if let Some(name) = request_name(reference) {
                    refers |= twofold.contains(name);
                    *reference = format!("#{SCHEMAS}/{name}");
                }
            });
            responses.get(name).is_some_and(|response| refers || *response != request)
        };
        let more: Vec<_> = requests
            .iter()
            .filter(|(name, request)| !twofold.contains(*name) && differs(name, request))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return twofold;
        }
        twofold.extend(more);
    }
}

fn request_name(reference: &str) -> Option<&str> {
    reference.strip_prefix('#')?.strip_prefix(REQUESTS)?.strip_prefix('/')
}

fn each_reference(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_reference(item, visit)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(reference) if key == "$ref" => visit(reference),
                    value => each_reference(value, visit),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
