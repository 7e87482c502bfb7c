//! What a contract refuses, and that it keeps the port's promises.

use realtime_ports::conformance::payload_rules::payload_rules_conformance;
use realtime_schema::Route;

use super::*;

const ORDER: &str = r#"{
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "integer", "minimum": 0}, "lines": {"type": "array", "items": {"type": "integer"}}}
}"#;

pub(crate) fn files<const N: usize>(texts: [(&str, &str); N]) -> SchemaFiles {
    SchemaFiles::parse(texts.map(|(path, text)| (path.parse().expect("a path"), text))).expect("files")
}

pub(crate) fn binding(pattern: &str, messages: &[(&str, &str)]) -> Binding {
    messages.iter().fold(Binding::new(pattern.parse().expect("a pattern")), |binding, (kind, path)| {
        binding.with(kind.parse().expect("a type"), path.parse().expect("a path"))
    })
}

fn compiled(pattern: &str, messages: &[(&str, &str)], schemas: SchemaFiles) -> Contract {
    Contract::compile(vec![binding(pattern, messages)], schemas).expect("a contract")
}

/// The faults of one schema.
fn faults(schema: &str) -> Vec<String> {
    let files = SchemaFiles::parse([("a.json".parse().expect("a path"), schema)]);
    let contract = files.and_then(|files| Contract::compile(vec![binding("all", &[("t", "a.json")])], files));
    contract.expect_err(schema).list().iter().map(ToString::to_string).collect()
}

/// The faults of a payload.
pub(crate) fn check(contract: &Contract, payload: &str) -> Vec<String> {
    let payload = Payload::from_text(payload.into()).expect("JSON");
    let result = contract.check(&Route::All.into(), &"t".parse().expect("a type"), &payload);
    result.err().into_iter().flatten().map(|error| error.to_string()).collect()
}

#[test]
fn a_contract_keeps_the_ports_promises() {
    let schemas = [("order.json", ORDER), ("notice.json", r#"{"type":"string"}"#)];
    payload_rules_conformance(|| {
        let bindings = vec![
            binding("topic:order:*", &[("order-updated", "order.json")]),
            binding("user", &[("notice", "notice.json")]).allowing_unknown_types(),
        ];
        Contract::compile(bindings, files(schemas)).expect("a contract")
    });
}

#[test]
fn the_first_pattern_that_matches_decides() {
    let schemas = files([("any.json", "true"), ("none.json", "false")]);
    let bindings = vec![
        binding("topic:a:1", &[("t", "any.json")]),
        binding("topic:a:*", &[("t", "none.json")]),
        binding("role:*", &[]),
    ];
    let contract = Contract::compile(bindings, schemas).expect("a contract");
    let fits = |route: Route| {
        contract.check(&route.into(), &"t".parse().expect("a type"), &Payload::of(&1).expect("JSON")).is_ok()
    };
    assert!(fits(Route::Topic("a:1".parse().expect("a topic"))));
    assert!(!fits(Route::Topic("a:2".parse().expect("a topic"))));
    assert!(!fits(Route::Role("x".parse().expect("a role"))), "without types a binding refuses every message");
    assert!(fits(Route::All));
}

#[test]
fn without_a_schema_the_payload_is_not_parsed() {
    let contract = compiled("topic:a", &[("t", "any.json")], files([("any.json", "true")]));
    let twice = Payload::from_text(r#"{"a":1,"a":2}"#.into()).expect("JSON");
    let kind = "t".parse().expect("a type");
    assert!(contract.check(&Route::All.into(), &kind, &twice).is_ok());
    assert!(Contract::default().check(&Route::Topic("a".parse().expect("a topic")).into(), &kind, &twice).is_ok());
    assert!(contract.check(&Route::Topic("a".parse().expect("a topic")).into(), &kind, &twice).is_err());
}

#[test]
fn a_faulty_schema_is_named_with_its_place() {
    assert_eq!(faults("{"), ["a.json: can't be read as JSON: EOF while parsing an object at line 1 column 1"]);
    assert_eq!(faults("3"), ["a.json: is no schema; a schema is an object, or `true` or `false`"]);
    assert_eq!(faults(r#"{"type":"object","type":"array"}"#), ["a.json at /type: is given twice"]);
    let all = [
        (r#"{"properties":{"a":{"type":"objet"}}}"#, "a.json at /properties/a/type: "),
        (r#"{"properties":{"a":{"minLength":-1}}}"#, "a.json at /properties/a/minLength: "),
        (r#"{"$schema":"http://json-schema.org/draft-04/schema#"}"#, "a.json at /$schema: is not a supported draft"),
        (r##"{"items":{"$ref":"#/$defs/none"}}"##, "a.json at /items/$ref: `a.json` has no schema at /$defs/none"),
        (r#"{"items":{"$ref":"b.json"}}"#, "a.json at /items/$ref: `b.json`: the file is missing"),
        (r#"{"$ref":"https://example.com/x.json"}"#, "a.json at /$ref: names no file below"),
        (r#"{"$ref":"../x.json"}"#, "a.json at /$ref: `../x.json` has `..`"),
        (r#"{"$ref":"/etc/passwd"}"#, "a.json at /$ref: `/etc/passwd` is an absolute path"),
        (r#"{"$ref":"file:///etc/passwd"}"#, "a.json at /$ref: names no file below"),
        (r#"{"pattern":"(?=a)b"}"#, "a.json at /pattern: the pattern (?=a)b uses look-ahead"),
        (r#"{"items":{"pattern":"(a)\\1"}}"#, "a.json at /items/pattern: the pattern (a)\\1 uses a backreference"),
        (
            r#"{"patternProperties":{"^(?!x)":{}}}"#,
            "a.json at /patternProperties/^(?!x): the pattern ^(?!x) uses negative",
        ),
        (r#"{"pattern":"(a"}"#, "a.json at /pattern: "),
        (r#"{"pattern":"((a{1,100}){1,100}){1,100}"}"#, "a.json at /pattern: "),
        (r##"{"$ref":"#"}"##, "a.json: refers to itself for the same value"),
        (r##"{"anyOf":[{"$ref":"#/$defs/b"}],"$defs":{"b":{"not":{"$ref":"#"}}}}"##, "a.json"),
        (r#"{"properties":{"a":{"$id":"https://example.com/b"}}}"#, "a.json at /properties/a/$id: is allowed only at"),
    ];
    for (schema, expected) in all {
        let found = faults(schema);
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{schema}: {found:?}");
    }
}

#[test]
fn faults_of_a_payload_name_the_place_and_what_is_demanded() {
    let schema = r##"{
        "type": "object", "additionalProperties": false, "required": ["id"], "minProperties": 1,
        "properties": {
            "id": {"type": "string", "format": "uuid"}, "at": {"format": "date-time"}, "mail": {"format": "email"},
            "url": {"format": "uri"}, "day": {"format": "date"}, "state": {"enum": ["new", "paid"]}, "v": {"const": 1},
            "n": {"type": ["integer", "null"], "exclusiveMinimum": 0, "multipleOf": 5}, "code": {"pattern": "^[A-Z]+$"},
            "tags": {"uniqueItems": true, "maxItems": 2, "items": {"maxLength": 2}},
            "pair": {"prefixItems": [{"type": "string"}], "items": false},
            "tree": {"$ref": "#/$defs/tree"}, "one": {"oneOf": [{"type": "integer"}, {"minimum": 0}]}
        },
        "$defs": {"tree": {"properties": {"next": {"$ref": "#/$defs/tree"}, "v": {"type": "integer"}}}}
    }"##;
    let contract = compiled("all", &[("t", "a.json")], files([("a.json", schema)]));
    let all = [
        (r#"{"id":"019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8f","day":"not a day"}"#, ""),
        (r#"{}"#, "payload/id: is missing"),
        (r#"{"id":"x"}"#, "payload/id: must be a valid uuid"),
        (r#"{"at":"2026"}"#, "payload/at: must be a valid date-time"),
        (r#"{"mail":"x"}"#, "payload/mail: must be a valid email"),
        (r#"{"url":"a b"}"#, "payload/url: must be a valid uri"),
        (r#"{"state":"s3cr3t"}"#, r#"payload/state: must be one of ["new","paid"]"#),
        (r#"{"v":2}"#, "payload/v: must be 1"),
        (r#"{"n":"s3cr3t"}"#, "payload/n: must be of type null or integer"),
        (r#"{"n":0}"#, "payload/n: must be above 0"),
        (r#"{"n":7}"#, "payload/n: must be a multiple of 5"),
        (r#"{"code":"s3cr3t"}"#, "payload/code: must match the pattern ^[A-Z]+$"),
        (r#"{"tags":["s3cr3t"]}"#, "payload/tags/0: must have at most 2 characters"),
        (r#"{"tags":["a","a"]}"#, "payload/tags: must not have equal items"),
        (r#"{"pair":["a",2]}"#, "payload/pair"),
        (r#"{"a/b~":1}"#, "payload/a~1b~0: is not a field of the schema"),
        (r#"{"tree":{"next":{"next":{"v":"s3cr3t"}}}}"#, "payload/tree/next/next/v: must be of type integer"),
        (r#"{"one":3}"#, "payload/one: fits several schemas of `oneOf`, not exactly one"),
        (r#"{"one":-0.5}"#, "payload/one: fits none of the schemas of `oneOf`"),
    ];
    for (payload, expected) in all {
        let found = check(&contract, payload);
        let named = found.iter().any(|fault| fault.starts_with(expected));
        assert!(if expected.is_empty() { found.is_empty() } else { named }, "{payload}: {found:?}");
        assert!(found.iter().all(|fault| !fault.contains("s3cr3t")), "{payload}: {found:?}");
    }
}

#[test]
fn both_drafts_are_read_by_their_own_rules() {
    let old = r##"{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/s","minLength":3,
        "definitions":{"s":{"type":"string"}}}"##;
    let new = r##"{"$ref":"#/$defs/s","minLength":3,"$defs":{"s":{"type":"string"}}}"##;
    let contract = |schema| compiled("all", &[("t", "a.json")], files([("a.json", schema)]));
    assert_eq!(check(&contract(old), r#""a""#), [""; 0], "draft-07 ignores what stands beside `$ref`");
    assert_eq!(check(&contract(new), r#""a""#), ["payload: must have at least 3 characters"]);
}

#[test]
fn files_refer_to_each_other_by_path_and_by_id() {
    let schemas = files([
        (
            "s/order.json",
            r#"{"properties":{"line":{"$ref":"parts/line.json#/$defs/l"},"user":{"$ref":"https://example.com/user"}}}"#,
        ),
        ("s/parts/line.json", r#"{"$defs":{"l":{"type":"integer"}}}"#),
        ("user.json", r#"{"$id":"https://example.com/user","type":"string"}"#),
    ]);
    let contract = compiled("all", &[("t", "s/order.json")], schemas);
    assert_eq!(check(&contract, r#"{"line":"x"}"#), ["payload/line: must be of type integer"]);
    assert_eq!(check(&contract, r#"{"user":1}"#), ["payload/user: must be of type string"]);
}

#[test]
fn a_pattern_that_is_bound_twice_and_a_missing_file_are_refused() {
    let bindings = vec![binding("user", &[]), binding("user", &[("t", "none.json")])];
    let faults = Contract::compile(bindings, SchemaFiles::default()).expect_err("two faults");
    assert_eq!(faults.list().len(), 2, "{faults}");
}
