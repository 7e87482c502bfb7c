//! A type that differs between requests and responses has a schema for each.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Defaulted {
    #[serde(default)]
    count: u8,
}

/// The same in both directions itself, but not its field.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Holder {
    held: Defaulted,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Same {
    count: u8,
}

fn document(fill: impl FnOnce(&mut Components) -> Value) -> Value {
    let mut components = Components::new();
    let mut document = json!({"operation": fill(&mut components)});
    components.finish(&mut document);
    document
}

#[test]
fn a_type_that_differs_by_direction_becomes_two_components() {
    let document = document(|to| json!([to.request::<Defaulted>(), to.response::<Defaulted>()]));
    assert_eq!(document["operation"][0]["$ref"], "#/components/schemas/DefaultedInput");
    assert_eq!(document["operation"][1]["$ref"], "#/components/schemas/Defaulted");
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Defaulted"]["required"], json!(["count"]), "always present in responses");
    assert_eq!(schemas["DefaultedInput"].get("required"), None, "optional in requests");
}

#[test]
fn a_type_that_holds_such_a_type_becomes_two_as_well() {
    let document = document(|to| json!([to.request::<Holder>(), to.response::<Holder>()]));
    let held = |name: &str| document["components"]["schemas"][name]["properties"]["held"]["$ref"].clone();
    assert_eq!(held("Holder"), "#/components/schemas/Defaulted");
    assert_eq!(held("HolderInput"), "#/components/schemas/DefaultedInput");
}

#[test]
fn a_type_that_is_the_same_in_both_directions_is_one_component() {
    let document = document(|to| json!([to.request::<Same>(), to.response::<Same>()]));
    assert_eq!(document["operation"][0], document["operation"][1]);
    assert_eq!(document["components"]["schemas"].as_object().map(Map::len), Some(1));
}

#[test]
fn a_type_of_one_direction_keeps_its_name() {
    let document = document(|to| json!([to.request::<Holder>()]));
    let names: Vec<_> = document["components"]["schemas"].as_object().expect("schemas").keys().collect();
    assert_eq!(names, ["Defaulted", "Holder"]);
}
