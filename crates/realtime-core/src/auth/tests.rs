//! Tests of admission.

use realtime_schema::{CloseCode, ErrorCode, UserId};

use super::*;

fn claims() -> JwtClaims {
    JwtClaims {
        roles: vec![Role::new("admin").expect("a role"), Role::new("staff").expect("a role")],
        permissions: vec![Permission::new("orders:read").expect("a permission")],
        ..JwtClaims::new(UserId::new("alice").expect("a user"))
    }
}

fn roles(names: &[&str]) -> Vec<Role> {
    names.iter().map(|name| Role::new(name).expect("a role")).collect()
}

fn permissions(names: &[&str]) -> Vec<Permission> {
    names.iter().map(|name| Permission::new(name).expect("a permission")).collect()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

#[test]
fn a_token_is_found_in_the_query_the_header_and_the_subprotocol() {
    assert_eq!(extract_token(&ConnectRequest::with_token("t")), Ok("t"));
    let header = ConnectRequest { authorization: Some("bEaReR  t".into()), ..ConnectRequest::default() };
    assert_eq!(extract_token(&header), Ok("t"));
    let protocols =
        ConnectRequest { protocols: vec!["realtime.v1".into(), "bearer.t".into()], ..ConnectRequest::default() };
    assert_eq!(extract_token(&protocols), Ok("t"));
}

#[test]
fn a_missing_an_empty_and_a_second_token_are_refused_with_the_reason() {
    let message = |request: &ConnectRequest| extract_token(request).expect_err("refused").message;
    assert!(message(&ConnectRequest::default()).contains("no token"));
    assert!(message(&ConnectRequest::with_token("")).contains("empty"));
    let two =
        ConnectRequest { authorization: Some("Bearer secret-1".into()), ..ConnectRequest::with_token("secret-2") };
    assert!(message(&two).contains("more than one"));
    assert!(!message(&two).contains("secret"), "a refusal never repeats a token");
    let basic = ConnectRequest { authorization: Some("Basic abc".into()), ..ConnectRequest::default() };
    assert!(message(&basic).contains("Bearer"));
}

#[test]
fn credentials_of_another_scheme_are_ignored_when_a_token_is_given() {
    let with = |authorization: &str| ConnectRequest {
        authorization: Some(authorization.into()),
        protocols: vec!["realtime.v1".into(), "bearer.t".into()],
        ..ConnectRequest::default()
    };
    for other in ["Basic dTpw", "basic dTpw", "Digest username=\"u\"", "Bearerish x", "e30.e30.c2ln", ""] {
        assert_eq!(extract_token(&with(other)), Ok("t"), "{other}");
    }
    for bearer in ["Bearer x", "BEARER   x  ", "Bearer", "Bearer "] {
        assert!(extract_token(&with(bearer)).expect_err(bearer).message.contains("more than one"), "{bearer}");
    }
}

#[test]
fn an_authorization_header_without_a_token_is_refused_without_being_repeated() {
    let refused = |value: &str| {
        let request = ConnectRequest { authorization: Some(value.into()), ..ConnectRequest::default() };
        extract_token(&request).expect_err(value).message
    };
    for other in ["Basic secret", "secret"] {
        let message = refused(other);
        assert!(message.contains("another scheme than `Bearer`") && !message.contains("secret"), "{message}");
    }
    for empty in ["Bearer", "bearer  "] {
        assert!(refused(empty).contains("the token is empty"), "{empty}");
    }
    let spaced = ConnectRequest { authorization: Some("  Bearer   t  ".into()), ..ConnectRequest::default() };
    assert_eq!(extract_token(&spaced), Ok("t"));
}

#[test]
fn a_debugged_request_holds_no_token() {
    let mut request = ConnectRequest::with_token("secret");
    request.authorization = Some("Bearer secret".into());
    request.protocols = vec!["bearer.secret".into()];
    assert!(!format!("{request:?}").contains("secret"));
}

#[test]
fn our_subprotocol_is_selected_and_a_bearer_entry_is_never_echoed() {
    let offer = |entries: &[&str]| entries.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>();
    assert_eq!(select_protocol(&offer(&["bearer.t", "realtime.v1"])), Ok(Some("realtime.v1")));
    assert_eq!(select_protocol(&[]), Ok(None));
    assert_eq!(select_protocol(&offer(&["graphql-ws"])).expect_err("refused").close, CloseCode::NO_SUBPROTOCOL);
    assert_eq!(select_protocol(&offer(&["bearer.t"])).expect_err("refused").close, CloseCode::NO_SUBPROTOCOL);
}

#[test]
fn roles_and_permissions_are_checked_one_by_one_for_any_and_for_all() {
    let claims = claims();
    assert!(has_role(&claims, &roles(&["admin"])[0]) && !has_role(&claims, &roles(&["root"])[0]));
    assert!(has_any_role(&claims, &roles(&["root", "staff"])) && !has_any_role(&claims, &roles(&["root"])));
    assert!(has_all_roles(&claims, &roles(&["staff", "admin"])) && !has_all_roles(&claims, &roles(&["admin", "root"])));
    assert!(has_any_permission(&claims, &permissions(&["x", "orders:read"])));
    assert!(!has_any_permission(&claims, &permissions(&["x"])));
    assert!(has_all_permissions(&claims, &permissions(&["orders:read"])));
    assert!(!has_all_permissions(&claims, &permissions(&["orders:read", "orders:write"])));
    assert!(!has_any_role(&claims, &[]) && has_all_roles(&claims, &[]), "any of none is no, all of none is yes");
}

#[test]
fn a_token_is_valid_from_nbf_to_exp_with_leeway_on_both_sides() {
    let claims = JwtClaims { exp: Some(100), nbf: Some(50), ..claims() };
    assert!(!is_expired(&claims, at(99), 0) && is_expired(&claims, at(100), 0), "RFC 7519: on or after exp");
    assert!(!is_expired(&claims, at(104), 5) && is_expired(&claims, at(105), 5));
    assert!(is_not_yet_valid(&claims, at(49), 0) && !is_not_yet_valid(&claims, at(50), 0));
    assert!(!is_not_yet_valid(&claims, at(45), 5));
    let extreme = JwtClaims { exp: Some(i64::MAX), nbf: Some(i64::MIN), ..claims };
    assert!(!is_expired(&extreme, at(1), u64::MAX) && !is_not_yet_valid(&extreme, at(1), u64::MAX));
}

#[test]
fn the_policy_returns_the_reason_of_a_refusal() {
    let claims = JwtClaims { exp: Some(100), ..claims() };
    let policy = ConnectionPolicy {
        required_roles: roles(&["admin"]),
        required_permissions: permissions(&["orders:read"]),
        ..ConnectionPolicy::default()
    };
    assert_eq!(policy.authorize(&claims, at(10)), Ok(()));
    assert_eq!(policy.authorize(&claims, at(100)).expect_err("expired").close, CloseCode::EXPIRED);
    let lax = ConnectionPolicy { allow_expired: true, ..policy.clone() };
    assert_eq!(lax.authorize(&claims, at(100)), Ok(()));
    let strict = ConnectionPolicy { required_roles: roles(&["admin", "root"]), ..policy.clone() };
    let refusal = strict.authorize(&claims, at(10)).expect_err("lacks root");
    assert!(refusal.code == ErrorCode::Forbidden && refusal.message.contains("`root`"), "{refusal}");
    let strict = ConnectionPolicy { required_permissions: permissions(&["orders:write"]), ..policy.clone() };
    assert!(strict.authorize(&claims, at(10)).expect_err("lacks it").message.contains("`orders:write`"));
    let early = JwtClaims { nbf: Some(50), ..claims };
    assert_eq!(policy.authorize(&early, at(10)).expect_err("early").code, ErrorCode::Unauthorized);
}

#[test]
fn a_log_of_a_request_shows_the_address_and_never_a_token() {
    let request = ConnectRequest {
        query: QueryParams {
            token: Some("s3cret-a".into()),
            resume: Some("s3cret-b".into()),
            ..QueryParams::default()
        },
        authorization: Some("Bearer s3cret-c".into()),
        protocols: vec!["realtime.v1".into(), "bearer.s3cret-d".into()],
        remote: Some("192.0.2.1".parse().expect("an address")),
    };
    let shown = format!("{request:?}");
    assert!(shown.contains("192.0.2.1") && !shown.contains("s3cret"), "{shown}");
}
