//! The JSON Schemas that client teams get, to hold every frame of every test against.

use std::{collections::HashMap, sync::OnceLock};

use jsonschema::Validator;
use realtime_schema::catalog;
use serde_json::Value;

/// Every schema of the catalogue, ready to validate with.
pub struct Schemas(HashMap<&'static str, Validator>);

/// The schemas, compiled once.
pub fn schemas() -> &'static Schemas {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let compile = |schema: &Value| jsonschema::draft202012::new(schema).expect("a JSON Schema");
        Schemas(catalog().into_iter().map(|entry| (entry.name, compile(&entry.schema))).collect())
    })
}

impl Schemas {
    /// Panics with what is wrong unless `value` is as the schema `name` says.
    ///
    /// # Panics
    /// It is not, or there is no such schema.
    pub fn check(&self, name: &str, value: &Value) {
        let schema = self.0.get(name).unwrap_or_else(|| panic!("there is no schema {name}"));
        let errors: Vec<_> = schema.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{value} is not a {name}: {errors:?}");
    }

    /// Whether `value` is as the schema `name` says.
    pub fn accepts(&self, name: &str, value: &Value) -> bool {
        self.0.get(name).is_some_and(|schema| schema.is_valid(value))
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}
