//! Names: their lengths, their refused characters, and the form of patterns and grants.

use realtime_schema::{
    Audience, ClientId, FieldError, Grant, GrantAction, JwtClaims, MessageType, Permission, RESERVED_TYPES, Role,
    Route, Stream, StreamPattern, Topic, TopicPattern, UserId,
};

use crate::{assert_contains, read, refusal};

fn why(topic: &str) -> String {
    Topic::new(topic).expect_err(topic).to_string()
}

#[test]
fn a_topic_has_1_to_255_characters_of_any_byte_length() {
    for longest in ["a", "é", "😀"].map(|c| c.repeat(255)) {
        assert_eq!(Topic::new(&longest).expect("a topic").as_str(), longest);
        assert_contains(&why(&format!("{longest}a")), &["topic: is 256 characters long", "at most 255"]);
    }
    assert_contains(&why(""), &["topic: must not be empty", "1 to 255"]);
}

#[test]
fn a_topic_is_kept_unchanged() {
    for text in ["order:123", "a", ":", "a::b", "Ünï:çode", "a/b?c=d#e%20", "😀"] {
        assert_eq!(Topic::new(text).expect("a topic").as_str(), text);
    }
    assert_ne!(Topic::new("e\u{301}"), Topic::new("é"), "no normalization");
    assert_ne!(Topic::new("Order"), Topic::new("order"), "no case folding");
}

#[test]
fn a_topic_refuses_white_space_and_pattern_characters() {
    for bad in [' ', '\u{a0}', '\u{2003}', '\u{3000}', '*', '{', '}'] {
        assert_contains(&why(&format!("order:{bad}")), &["topic: contains", &format!("{bad:?}")]);
    }
}

#[test]
fn every_name_refuses_control_and_invisible_characters() {
    for bad in [
        '\0', '\n', '\r', '\t', '\u{7f}', '\u{85}', '\u{ad}', '\u{61c}', '\u{180e}', '\u{200b}', '\u{200f}',
        '\u{2028}', '\u{202e}', '\u{2060}', '\u{2066}', '\u{feff}',
    ] {
        let text = format!("a{bad}b");
        let code = format!("U+{:04X}", u32::from(bad));
        assert_contains(&why(&text), &["topic: contains", &code]);
        assert_contains(&UserId::new(&text).expect_err("a user").to_string(), &["user: contains", &code]);
        assert_contains(&Role::new(&text).expect_err("a role").to_string(), &["role: contains", &code]);
        assert_contains(
            &Permission::new(&text).expect_err("a permission").to_string(),
            &["permission: contains", &code],
        );
        assert_contains(&ClientId::new(&text).expect_err("a client").to_string(), &["client: contains", &code]);
        assert_contains(&MessageType::new(&text).expect_err("a type").to_string(), &["type: contains", &code]);
        assert_contains(&TopicPattern::new(&text).expect_err("a pattern").to_string(), &["pattern: contains", &code]);
    }
}

#[test]
fn names_other_than_topics_may_contain_spaces() {
    assert_eq!(UserId::new("Alice B. {*}").expect("a user").as_str(), "Alice B. {*}");
    assert_eq!(MessageType::new("order updated").expect("a type").as_str(), "order updated");
}

#[test]
fn a_client_has_64_characters_and_the_others_255() {
    assert!(ClientId::new("é".repeat(64)).is_ok());
    assert_contains(
        &ClientId::new("é".repeat(65)).expect_err("a client").to_string(),
        &["client: is 65 characters", "64"],
    );
    for refused in [
        UserId::new("é".repeat(256)).map(drop),
        Role::new("é".repeat(256)).map(drop),
        Permission::new("é".repeat(256)).map(drop),
        MessageType::new("é".repeat(256)).map(drop),
    ] {
        assert_contains(&refused.expect_err("too long").to_string(), &["is 256 characters long", "255"]);
    }
    assert!(UserId::new("é".repeat(255)).is_ok());
}

#[test]
fn the_types_of_control_frames_are_reserved() {
    for reserved in RESERVED_TYPES.into_iter().chain(["rt.", "rt.later"]) {
        let error = MessageType::new(reserved).expect_err(reserved);
        assert_eq!(error.path, "/type");
        assert_contains(&error.message, &[&format!("`{reserved}` is reserved"), "`rt.*`"]);
    }
    for free in ["rt", "rta", "Welcome", "welcome2", "my.rt.", "order-updated"] {
        assert!(MessageType::new(free).is_ok(), "{free}");
    }
}

#[test]
fn every_control_frame_of_the_catalog_is_reserved() {
    let frames = realtime_schema::catalog();
    let kinds = frames.iter().filter_map(|entry| entry.schema["properties"]["type"]["const"].as_str());
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(kinds.len(), 9);
    for kind in kinds {
        assert!(RESERVED_TYPES.contains(&kind), "{kind}");
    }
}

#[test]
fn a_pattern_is_made_of_whole_segments() {
    for good in ["order:123", "order:*", "*", "**", "user:{sub}:**", "*:*:x", "{sub}", "a:**", "a::b"] {
        assert_eq!(TopicPattern::new(good).expect(good).as_str(), good);
    }
    for (bad, segment) in [
        ("order:1*", "`1*`"),
        ("***", "`***`"),
        ("a:**:b", "`**`"),
        ("user:{sub}x", "`{sub}x`"),
        ("user:{id}", "`{id}`"),
        ("user:{", "`{`"),
        ("two words", "`two words`"),
    ] {
        let error = TopicPattern::new(bad).expect_err(bad);
        assert_eq!(error.path, "/pattern");
        assert_contains(&error.message, &[segment, &format!("`{bad}`"), "a last `**`"]);
    }
    assert!(TopicPattern::new("").is_err());
    assert!(TopicPattern::new("é".repeat(255)).is_ok());
    assert!(TopicPattern::new("é".repeat(256)).is_err());
}

#[test]
fn a_grant_is_an_action_and_a_pattern() {
    for action in GrantAction::ALL {
        let text = format!("{}:order:*", action.as_str());
        let grant: Grant = text.parse().expect("a grant");
        assert_eq!((grant.action, grant.pattern.as_str()), (action, "order:*"));
        assert_eq!(grant.to_string(), text);
        assert_eq!(read::<Grant>(&format!("\"{text}\"")), grant);
    }
}

#[test]
fn an_invalid_grant_is_refused_with_the_known_actions_or_the_wrong_pattern() {
    for unknown in ["order:*", "shout:order:*", "", "Subscribe:a", "subscribe :a"] {
        let error = unknown.parse::<Grant>().expect_err(unknown);
        assert_eq!(error.path, "/grants");
        assert_contains(&error.message, &["ACTION:PATTERN", "subscribe, publish, history, presence"]);
    }
    for (invalid, message) in
        [("subscribe", "must not be empty"), ("subscribe:", "must not be empty"), ("publish:a*", "`a*`")]
    {
        let error = invalid.parse::<Grant>().expect_err(invalid);
        assert_eq!(error.path, "/grants/pattern");
        assert_contains(&error.message, &[message]);
    }
    assert_contains(&refusal::<JwtClaims>(r#"{"sub":"alice","grants":["shout:a"]}"#), &["grants: `shout:a`"]);
}

#[test]
fn an_error_inside_a_document_has_the_whole_path() {
    let inner = FieldError::new("topic", "is missing");
    assert_eq!(inner.path, "/topic");
    assert_eq!(inner.clone().under("to").path, "/to/topic");
    assert_eq!(inner.clone().under("to").within("/publications/3").path, "/publications/3/to/topic");
    assert_eq!(inner.clone().under(""), inner);
    assert_eq!(FieldError::new("a/b~c", "").path, "/a~1b~0c", "RFC 6901 section 3");
    assert_eq!(FieldError::new("", "is not an object").under("to").path, "/to");
    assert_eq!(FieldError::new("", "is not an object").path, "");
    assert_eq!(FieldError::new("", "is not an object").to_string(), "is not an object");
    let parsed = FieldError::parsed("/publications/3/topic", "topic: must not be empty".into());
    assert_eq!(parsed.message, "must not be empty", "the path names it already");
    assert_eq!(inner.to_string(), "topic: is missing");
}

#[test]
fn a_stream_has_one_name_on_the_wire() {
    for (text, stream) in [
        ("all", Stream::All),
        ("user", Stream::User),
        ("role:admin", Stream::Role(Role::new("admin").expect("a role"))),
        ("role:two words", Stream::Role(Role::new("two words").expect("a role"))),
        ("topic:order:123", Stream::Topic(Topic::new("order:123").expect("a topic"))),
        ("topic:topic:a", Stream::Topic(Topic::new("topic:a").expect("a topic"))),
    ] {
        assert_eq!(text.parse(), Ok(stream.clone()), "{text}");
        assert_eq!(stream.to_string(), text);
        assert_eq!(read::<Stream>(&format!("{text:?}")), stream);
    }
    for wrong in ["", "order:123", "user:alice", "connection", "union", "All", "topic", "role"] {
        assert_contains(
            &wrong.parse::<Stream>().expect_err(wrong).to_string(),
            &["stream: `", "topic:TOPIC, role:ROLE, user or all"],
        );
    }
    assert_contains(&"topic:".parse::<Stream>().expect_err("empty").to_string(), &["topic", "must not be empty"]);
    assert_contains(&"topic:order:*".parse::<Stream>().expect_err("a pattern").to_string(), &["contains '*'"]);
    assert_contains(&"role:".parse::<Stream>().expect_err("empty").to_string(), &["role", "must not be empty"]);
}

#[test]
fn a_pattern_of_streams_names_its_kind() {
    for text in ["all", "user", "role:*", "role:admin", "topic:order:*", "topic:user:{sub}:**", "topic:**"] {
        let pattern: StreamPattern = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(pattern.to_string(), text);
        assert_eq!(read::<StreamPattern>(&format!("{text:?}")), pattern);
    }
    for (wrong, advice) in [
        ("order:*", "write `topic:order:*`"),
        ("user:{sub}:**", "write `topic:user:{sub}:**`"),
        ("*", "write `topic:*`"),
        ("topic", "write `topic:topic`"),
        ("ord*", "is not topic:PATTERN, role:ROLE, role:*, user or all"),
        ("", "is not topic:PATTERN"),
        ("topic:ord*", "segment `ord*`"),
        ("topic:", "must not be empty"),
        ("role:", "must not be empty"),
    ] {
        assert_contains(&wrong.parse::<StreamPattern>().expect_err(wrong).to_string(), &["pattern: ", advice]);
    }
}

#[test]
fn every_route_except_a_single_connection_is_a_stream() {
    let role = Role::new("admin").expect("a role");
    let topic = Topic::new("order:123").expect("a topic");
    let connection = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
    for (route, stream) in [
        (Route::All, Some(Stream::All)),
        (Route::User(UserId::new("alice").expect("a user")), Some(Stream::User)),
        (Route::Role(role.clone()), Some(Stream::Role(role))),
        (Route::Topic(topic.clone()), Some(Stream::Topic(topic))),
        (Route::Connection(connection), None),
    ] {
        assert_eq!(Stream::of(&route), stream);
        assert_eq!(Stream::of_audience(&route.clone().into()), stream);
        let union = Audience::union(vec![route, Route::All]).expect("two routes");
        assert_eq!(Stream::of_audience(&union), None, "a union has no position");
    }
}
