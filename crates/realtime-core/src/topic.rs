//! Matching of topics with patterns, and checks of grants.

use realtime_schema::{Grant, GrantAction, Route, StreamPattern, Topic, TopicPattern, UserId};

/// Whether `pattern` matches `topic`. `{sub}` stands for `user` as one whole segment, and for any segment without a user.
///
/// A user whose id contains `:` never matches `{sub}`: a segment can't contain one, and to treat the id as several
/// segments would allow one user to impersonate another.
pub fn matches(pattern: &TopicPattern, topic: &Topic, user: Option<&UserId>) -> bool {
    let mut segments = parts(topic.as_str());
    for expected in parts(pattern.as_str()) {
        let segment = segments.next();
        match (expected, segment) {
            (_, None) => return false,
            (b"**", Some(_)) => return true,
            (b"*", Some(_)) => {}
            (b"{sub}", Some(segment)) => {
                if user.is_some_and(|user| user.as_str().as_bytes() != segment) {
                    return false;
                }
            }
            (literal, Some(segment)) => {
                if literal != segment {
                    return false;
                }
            }
        }
    }
    segments.next().is_none()
}

/// Whether `route` names a stream of `pattern`. A single connection is no stream.
pub fn covers(pattern: &StreamPattern, route: &Route) -> bool {
    match (pattern, route) {
        (StreamPattern::All, Route::All)
        | (StreamPattern::User, Route::User(_))
        | (StreamPattern::AnyRole, Route::Role(_)) => true,
        (StreamPattern::Role(expected), Route::Role(role)) => expected == role,
        (StreamPattern::Topic(pattern), Route::Topic(topic)) => matches(pattern, topic, None),
        _ => false,
    }
}

/// Compared byte by byte: segments are too short for a search with a set-up cost.
fn parts(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|byte| *byte == b':')
}

/// Whether one of `grants` allows `user` to do `action` on `topic`.
pub fn granted(grants: &[Grant], action: GrantAction, topic: &Topic, user: &UserId) -> bool {
    grants.iter().any(|grant| grant.action == action && matches(&grant.pattern, topic, Some(user)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(pattern: &str, topic: &str, user: &str) -> bool {
        matches(
            &pattern.parse().expect("a pattern"),
            &topic.parse().expect("a topic"),
            Some(&user.parse().expect("a user")),
        )
    }

    #[test]
    fn a_pattern_of_streams_covers_its_kind_of_route_alone() {
        let routes: Vec<Route> = vec![
            Route::All,
            Route::User("u".parse().expect("a user")),
            Route::Role("r".parse().expect("a role")),
            Route::Role("other".parse().expect("a role")),
            Route::Topic("order:1".parse().expect("a topic")),
            Route::Connection("019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id")),
        ];
        for (pattern, covered) in [
            ("all", vec![0]),
            ("user", vec![1]),
            ("role:r", vec![2]),
            ("role:*", vec![2, 3]),
            ("topic:order:*", vec![4]),
            ("topic:other:*", vec![]),
        ] {
            let pattern: StreamPattern = pattern.parse().expect("a pattern");
            let found: Vec<_> = (0..routes.len()).filter(|at| covers(&pattern, &routes[*at])).collect();
            assert_eq!(found, covered, "{pattern}");
        }
    }

    #[test]
    fn a_star_matches_one_segment_and_a_last_double_star_the_rest() {
        assert!(hit("order:*", "order:123", "u"));
        assert!(!hit("order:*", "order:123:items", "u"));
        assert!(!hit("order:*", "order", "u"));
        assert!(!hit("order:*", "orders:123", "u"));
        assert!(hit("order:**", "order:123:items", "u"));
        assert!(hit("order:**", "order:123", "u"));
        assert!(!hit("order:**", "order", "u"));
        assert!(hit("order:*:items", "order:123:items", "u"));
        assert!(hit("*", "anything", "u"));
        assert!(!hit("*", "any:thing", "u"));
        assert!(hit("**", "any:thing", "u"));
        assert!(hit("order:123", "order:123", "u"));
        assert!(!hit("order:123", "order:1234", "u"));
    }

    #[test]
    fn sub_is_the_user_as_one_whole_segment() {
        assert!(hit("user:{sub}:*", "user:alice:inbox", "alice"));
        assert!(!hit("user:{sub}:*", "user:bob:inbox", "alice"));
        assert!(!hit("user:{sub}", "user:alice:x", "alice:x"), "an id with a colon is not two segments");
        assert!(!hit("user:{sub}", "user:alice", "*"), "an id is never a wildcard");
    }

    #[test]
    fn only_the_action_that_was_granted_is_allowed() {
        let grants = vec!["subscribe:order:*".parse().expect("a grant")];
        let topic = "order:1".parse().expect("a topic");
        let user = "alice".parse().expect("a user");
        assert!(granted(&grants, GrantAction::Subscribe, &topic, &user));
        assert!(!granted(&grants, GrantAction::Publish, &topic, &user));
        assert!(!granted(&[], GrantAction::Subscribe, &topic, &user));
    }
}
