//! The OpenAPI 3.1 document of the HTTP API, built from the same types.

/// The document.
pub fn openapi(version: &str) -> serde_json::Value {
    serde_json::json!({"openapi": "3.1.0", "info": {"title": "Realtime", "version": version}})
}
