//! Whom a revocation refuses, for how long, and how many there are.

use std::time::Duration;

use proptest::prelude::*;
use realtime_schema::{CloseCode, ErrorCode, RevocationRequest, TimeSpan};
use uuid::Uuid;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a user")
}

fn id(n: u128) -> RevocationId {
    RevocationId(Uuid::from_u128(n))
}

fn entry(target: Target, until: Timestamp) -> Entry {
    Entry { target, until, reason: "why".into(), created_at: at(0) }
}

fn claims(name: &str, jti: Option<&str>, iat: Option<i64>) -> JwtClaims {
    JwtClaims { jti: jti.map(str::to_owned), iat, ..JwtClaims::new(user(name)) }
}

#[test]
fn a_blocked_user_is_forbidden_and_a_revoked_token_needs_a_new_one() {
    let mut set = Revocations::default();
    set.add(id(1), entry(Target::User(user("mallory")), at(100)), at(0), 9).expect("there is room");
    set.add(id(2), entry(Target::Token("t1".into()), at(100)), at(0), 9).expect("there is room");
    let refusal = |claims: JwtClaims| set.find(&(&claims).into(), at(10)).map(Entry::refusal);
    let blocked = refusal(claims("mallory", Some("t1"), None)).expect("refused");
    assert_eq!((blocked.close, blocked.code), (CloseCode::FORBIDDEN, ErrorCode::Forbidden));
    let revoked = refusal(claims("alice", Some("t1"), None)).expect("refused");
    assert_eq!((revoked.close, revoked.code), (CloseCode::REVOKED, ErrorCode::Unauthorized));
    assert_eq!(refusal(claims("alice", Some("t2"), None)), None);
}

#[test]
fn tokens_issued_before_a_time_and_those_that_do_not_say_are_refused() {
    let mut set = Revocations::default();
    let alices = Target::IssuedBefore { user: Some(user("alice")), before: at(50) };
    set.add(id(1), entry(alices, at(100)), at(0), 9).expect("there is room");
    let refused = |set: &Revocations, name: &str, iat| set.find(&(&claims(name, None, iat)).into(), at(10)).is_some();
    assert!(refused(&set, "alice", Some(49)) && !refused(&set, "alice", Some(50)));
    assert!(refused(&set, "alice", None) && !refused(&set, "bob", Some(1)));
    set.add(id(2), entry(Target::IssuedBefore { user: None, before: at(20) }, at(100)), at(0), 9).expect("room");
    assert!(refused(&set, "bob", Some(19)) && refused(&set, "bob", None) && !refused(&set, "bob", Some(20)));
}

#[test]
fn the_same_target_again_extends_it_and_never_ends_it_sooner() {
    let mut set = Revocations::default();
    let target = Target::User(user("mallory"));
    set.add(id(1), entry(target.clone(), at(100)), at(0), 1).expect("there is room");
    let again = Entry { reason: "again".into(), ..entry(target.clone(), at(50)) };
    assert_eq!(set.add(id(2), again, at(0), 1), Ok(id(1)), "no room is needed");
    assert_eq!(set.get(id(1)).map(|entry| (entry.until, entry.reason.as_str())), Some((at(100), "again")));
    assert_eq!(set.add(id(3), entry(target, at(200)), at(0), 1), Ok(id(1)));
    set.remove_ended(at(199));
    assert_eq!(set.len(), 1);
    set.remove_ended(at(200));
    assert!(set.is_empty());
}

#[test]
fn an_entry_refuses_until_its_end_and_not_at_it_whether_it_was_removed_or_not() {
    let mut set = Revocations::default();
    assert!(set.is_empty());
    for n in 1..=2 {
        set.add(id(n), entry(Target::Token(format!("t{n}")), at(100)), at(0), 9).expect("there is room");
    }
    assert!(!set.is_empty() && set.len() == 2);
    let known =
        |now| (set.find(&(&claims("alice", Some("t1"), None)).into(), now).is_some(), set.page(None, 9, now).len());
    assert_eq!(known(Timestamp::from_millis(99_999)), (true, 2));
    assert_eq!(known(at(100)), (false, 0));
}

#[test]
fn a_request_says_what_is_wrong_at_each_field() {
    let paths = |request: RevocationRequest| -> Vec<String> {
        let errors = Wanted::read(request, at(10)).expect_err("invalid");
        errors.into_iter().map(|error| error.path).collect()
    };
    assert_eq!(paths(RevocationRequest::default()), [""]);
    let all = RevocationRequest {
        jti: Some(String::new()),
        user: Some(user("alice")),
        issued_before: Some(at(1)),
        until: Some(at(10)),
        duration: Some(TimeSpan(Duration::ZERO)),
        reason: Some("x".repeat(101)),
    };
    assert_eq!(paths(all), ["/jti", "/user", "/issued_before", "/for", "/until", "/for", "/reason"]);
    let good = RevocationRequest {
        user: Some(user("alice")),
        duration: Some(TimeSpan(Duration::from_secs(5))),
        ..RevocationRequest::default()
    };
    let wanted = Wanted::read(good, at(10)).expect("valid");
    assert_eq!((wanted.target, wanted.until), (Target::User(user("alice")), Some(at(15))));
}

/// A target out of few, so that they meet.
fn target() -> impl Strategy<Value = Target> {
    let name = || prop::sample::select(vec!["alice", "bob"]);
    prop_oneof![
        (0..3_u8).prop_map(|n| Target::Token(n.to_string())),
        name().prop_map(|name| Target::User(user(name))),
        (prop::option::of(name()), 0..20_i64)
            .prop_map(|(name, before)| Target::IssuedBefore { user: name.map(user), before: at(before) }),
    ]
}

proptest! {
    #[test]
    fn a_token_is_refused_exactly_while_an_entry_for_it_lives_and_none_is_evicted(
        steps in prop::collection::vec((target(), 1..20_i64, 0..3_i64, any::<bool>()), 1..40),
        max in 1..6_usize,
    ) {
        let (mut set, mut now) = (Revocations::default(), 0);
        let mut model: Vec<(RevocationId, Target, i64)> = Vec::new();
        for (n, (target, lasts, pause, remove)) in steps.into_iter().enumerate() {
            now += pause;
            model.retain(|(_, _, until)| *until > now);
            if remove && let Some((gone, ..)) = model.pop() {
                prop_assert!(set.remove(gone).is_some());
            }
            let until = now + lasts;
            let added = set.add(id(n as u128), entry(target.clone(), at(until)), at(now), max);
            let is_full = model.len() == max;
            match model.iter_mut().find(|(_, known, _)| *known == target) {
                Some((known, _, end)) => {
                    prop_assert_eq!(added, Ok(*known));
                    *end = until.max(*end);
                }
                None if is_full => prop_assert_eq!(added, Err(Full)),
                None => {
                    prop_assert_eq!(added, Ok(id(n as u128)));
                    model.push((id(n as u128), target, until));
                }
            }
            prop_assert!(set.len() <= max);
            for name in ["alice", "bob"] {
                for jti in [None, Some("0"), Some("2")] {
                    for iat in [None, Some(0), Some(7), Some(19)] {
                        let claims = claims(name, jti, iat);
                        let wanted = model.iter().any(|(_, target, _)| target.matches(&(&claims).into()));
                        prop_assert_eq!(set.find(&(&claims).into(), at(now)).is_some(), wanted, "{:?}", claims);
                    }
                }
            }
            let mut listed: Vec<_> = set.page(None, 100, at(now)).iter().map(|revocation| revocation.id).collect();
            let mut known: Vec<_> = model.iter().map(|(id, ..)| *id).collect();
            known.sort_unstable();
            listed.sort_unstable();
            prop_assert_eq!(listed, known);
        }
    }
}

#[test]
fn a_connection_is_refused_for_the_token_that_it_has() {
    let mut set = Revocations::default();
    set.add(id(1), entry(Target::Token("t1".into()), at(100)), at(0), 9).expect("there is room");
    set.add(id(2), entry(Target::IssuedBefore { user: None, before: at(20) }, at(100)), at(0), 9).expect("room");
    let closing = |claims: JwtClaims| {
        let connection_id = realtime_schema::ConnectionId(Uuid::nil());
        let connection = crate::connection::record(connection_id, &claims, None, at(0));
        set.find(&(&connection).into(), at(10)).map(|entry| (entry.closing().code, entry.closing().reason))
    };
    let revoked = Some((CloseCode::REVOKED, "why".to_owned()));
    assert_eq!(closing(claims("alice", Some("t1"), Some(30))), revoked);
    assert_eq!(closing(claims("alice", Some("t2"), Some(19))), revoked);
    assert_eq!(closing(claims("alice", None, None)), revoked, "a token that does not say when it was issued");
    assert_eq!(closing(claims("alice", Some("t2"), Some(30))), None);
}

#[test]
fn a_revocation_is_the_same_after_it_was_stored() {
    let alice = || Some(user("alice"));
    for target in [
        Target::Token("t1".into()),
        Target::User(user("alice")),
        Target::IssuedBefore { user: alice(), before: at(5) },
        Target::IssuedBefore { user: None, before: at(5) },
    ] {
        let entry = entry(target, at(100));
        let stored = entry.to_revocation(id(1));
        assert_eq!(stored.id, id(1));
        assert_eq!(Entry::restored(stored), Some(entry));
    }
    let nothing = Revocation { user: None, ..entry(Target::User(user("alice")), at(100)).to_revocation(id(1)) };
    assert_eq!(Entry::restored(nothing), None);
}

#[test]
fn a_request_without_a_reason_has_one_that_says_what_to_do() {
    let wanted = |jti: Option<&str>, name: Option<&str>, issued_before| {
        let (jti, user) = (jti.map(str::to_owned), name.map(user));
        Wanted::read(RevocationRequest { jti, user, issued_before, ..RevocationRequest::default() }, at(10))
    };
    let token = "the token was revoked; get a new one";
    for (read, target, reason) in [
        (wanted(Some("t1"), None, None), Target::Token("t1".into()), token),
        (wanted(None, None, Some(at(5))), Target::IssuedBefore { user: None, before: at(5) }, token),
        (
            wanted(None, Some("bob"), Some(at(5))),
            Target::IssuedBefore { user: Some(user("bob")), before: at(5) },
            token,
        ),
        (wanted(None, Some("bob"), None), Target::User(user("bob")), "blocked by an operator"),
    ] {
        assert_eq!(read, Ok(Wanted { target, until: None, reason: reason.into() }));
    }
}

#[test]
fn the_longest_texts_of_a_request_are_valid_and_longer_ones_are_not() {
    let read = |jti: usize, reason: usize| {
        let request =
            RevocationRequest { jti: Some("é".repeat(jti)), reason: Some("é".repeat(reason)), ..Default::default() };
        Wanted::read(request, at(10)).map_err(|errors| errors.into_iter().map(|error| error.path).collect::<Vec<_>>())
    };
    let (jti, reason) = (RevocationRequest::MAX_JTI_CHARS, RevocationRequest::MAX_REASON_CHARS);
    assert!(read(jti, reason).is_ok());
    assert_eq!(read(jti + 1, reason), Err(vec!["/jti".to_owned()]));
    assert_eq!(read(jti, reason + 1), Err(vec!["/reason".to_owned()]));
}
