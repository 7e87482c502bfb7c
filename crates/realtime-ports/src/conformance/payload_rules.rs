//! The promises of all [`PayloadRules`].

use realtime_schema::{Audience, ConnectionId, FieldError, MessageType, Payload, Route};

use crate::{MAX_PAYLOAD_ERRORS, PayloadRules};

/// Text that stands in payloads and must stand in no error.
const SECRET: &str = "s3cr3t";

/// Runs the whole suite, with rules that `fresh` makes:
///
/// - topics that `order:*` matches: the type `order-updated` is an object whose `total` is required and an integer of at
///   least 0, with an optional array `lines` of integers; other types are refused;
/// - the stream of any user: the type `notice` is a string; other types are allowed;
/// - every other stream: no rules.
///
/// # Panics
/// The adapter breaks a promise of the port; the message says which.
pub fn payload_rules_conformance<R: PayloadRules>(fresh: impl Fn() -> R) {
    what_fits_is_accepted(&fresh());
    a_fault_has_a_pointer_and_never_its_value(&fresh());
    an_unknown_type_is_a_fault_of_the_type(&fresh());
    a_stream_without_rules_takes_anything(&fresh());
    a_single_connection_is_not_checked(&fresh());
    a_union_must_fit_each_of_its_streams(&fresh());
    errors_are_bounded(&fresh());
    a_deep_payload_is_refused_where_there_are_rules(&fresh());
}

fn topic(text: &str) -> Route {
    Route::Topic(text.parse().expect("a topic"))
}

fn user(text: &str) -> Route {
    Route::User(text.parse().expect("a user"))
}

fn check<R: PayloadRules>(rules: &R, to: &Audience, kind: &str, payload: &str) -> Result<(), Vec<FieldError>> {
    let payload = Payload::from_text(payload.to_owned()).expect("JSON");
    let kind: MessageType = kind.parse().expect("a type");
    let result = rules.check(to, &kind, &payload);
    assert_eq!(rules.check(to, &kind, &payload), result, "equal arguments have equal results");
    result
}

fn refused<R: PayloadRules>(rules: &R, to: impl Into<Audience>, kind: &str, payload: &str) -> Vec<FieldError> {
    let to = to.into();
    let errors = check(rules, &to, kind, payload).expect_err("it does not fit");
    assert!((1..=MAX_PAYLOAD_ERRORS).contains(&errors.len()), "{} errors", errors.len());
    for FieldError { path, message } in &errors {
        let known = path == "/type" || path == "/payload" || path.starts_with("/payload/");
        assert!(known, "the path is one of a publish request: {path}");
        assert!(!message.is_empty() && !message.contains(SECRET), "no value stands in a message: {message}");
    }
    errors
}

fn accepted<R: PayloadRules>(rules: &R, to: impl Into<Audience>, kind: &str, payload: &str) {
    assert_eq!(check(rules, &to.into(), kind, payload), Ok(()), "it fits: {kind}");
}

/// With fields that the rules do not name, too.
pub fn what_fits_is_accepted<R: PayloadRules>(rules: &R) {
    accepted(rules, topic("order:1"), "order-updated", r#"{"total": 3}"#);
    accepted(rules, topic("order:1"), "order-updated", r#" {"lines":[1,2],"total":0,"more":{}} "#);
    accepted(rules, user("alice"), "notice", r#""hello""#);
}

/// The pointer names the innermost value that does not fit.
pub fn a_fault_has_a_pointer_and_never_its_value<R: PayloadRules>(rules: &R) {
    let paths = |payload: &str| {
        let errors = refused(rules, topic("order:1"), "order-updated", payload);
        errors.into_iter().map(|error| error.path).collect::<Vec<_>>()
    };
    assert_eq!(paths(&format!(r#"{{"total": "{SECRET}"}}"#)), ["/payload/total"]);
    assert_eq!(paths(r#"{"total": -1}"#), ["/payload/total"]);
    assert_eq!(paths(r#"{"total": 1, "lines": [1, "two"]}"#), ["/payload/lines/1"]);
    assert_eq!(paths(&format!("\"{SECRET}\"")), ["/payload"]);
    assert!(paths("{}")[0].starts_with("/payload"), "a missing field");
}

/// Where other types are refused; elsewhere they have no rules.
pub fn an_unknown_type_is_a_fault_of_the_type<R: PayloadRules>(rules: &R) {
    let errors = refused(rules, topic("order:1"), "order-updatd", "{}");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].path, "/type");
    accepted(rules, user("alice"), "greeting", "{}");
}

/// Whatever the type and the payload.
pub fn a_stream_without_rules_takes_anything<R: PayloadRules>(rules: &R) {
    for to in [topic("orders"), topic("order:1:lines"), Route::Role("admin".parse().expect("a role")), Route::All] {
        accepted(rules, to, "order-updated", "[]");
    }
}

/// It is no stream, so no pattern names it.
pub fn a_single_connection_is_not_checked<R: PayloadRules>(rules: &R) {
    let id: ConnectionId = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
    accepted(rules, Route::Connection(id), "order-updated", "[]");
}

/// In whichever order they stand.
pub fn a_union_must_fit_each_of_its_streams<R: PayloadRules>(rules: &R) {
    let union = |routes: Vec<Route>| Audience::union(routes).expect("routes");
    for routes in [vec![topic("order:1"), Route::All], vec![Route::All, topic("order:1")]] {
        refused(rules, union(routes.clone()), "order-updated", "[]");
        accepted(rules, union(routes), "order-updated", r#"{"total":1}"#);
    }
    refused(rules, union(vec![user("alice"), topic("order:1")]), "notice", r#""hello""#);
    refused(rules, union(vec![topic("order:1"), user("alice")]), "notice", r#""hello""#);
    accepted(rules, union(vec![user("alice"), user("bob"), Route::All]), "notice", r#""hello""#);
}

/// However many faults a payload has.
pub fn errors_are_bounded<R: PayloadRules>(rules: &R) {
    let lines = vec![format!("\"{SECRET}\""); 10_000].join(",");
    let errors = refused(rules, topic("order:1"), "order-updated", &format!(r#"{{"total":1,"lines":[{lines}]}}"#));
    assert_eq!(errors.len(), MAX_PAYLOAD_ERRORS);
    let long = "k".repeat(60_000);
    let bytes: usize = errors.iter().map(|error| error.path.len() + error.message.len()).sum();
    assert!(bytes < 16 * 1024, "{bytes} bytes of errors");
    for payload in [format!(r#"{{"total":{{"{long}":1}}}}"#), format!(r#"{{"{long}":1}}"#)] {
        let errors = refused(rules, topic("order:1"), "order-updated", &payload);
        let bytes: usize = errors.iter().map(|error| error.path.len() + error.message.len()).sum();
        assert!(bytes < 16 * 1024, "{bytes} bytes of errors");
    }
}

/// Deeper than any stack holds; without rules it is not parsed, and passes.
pub fn a_deep_payload_is_refused_where_there_are_rules<R: PayloadRules>(rules: &R) {
    let deep = format!(r#"{{"total":1,"more":{}{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    refused(rules, topic("order:1"), "order-updated", &deep);
    accepted(rules, topic("free"), "order-updated", &deep);
}
