//! Every type that travels, by name, as a JSON Schema.

/// A named JSON Schema.
pub struct CatalogEntry {
    /// The name of the file, without `.schema.json`.
    pub name: &'static str,
    /// The schema: draft 2020-12.
    pub schema: serde_json::Value,
}

/// Every schema that client teams work from.
pub fn catalog() -> Vec<CatalogEntry> {
    Vec::new()
}
