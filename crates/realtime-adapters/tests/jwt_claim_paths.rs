//! Where in a token roles, permissions, grants and metadata are found.
#![cfg(feature = "jwt")]

mod jwt_support;

use jwt_support::{claims, hs256, judged, refused, refuses, roles, verifier, with_paths};
use realtime_adapters::jwt::{ClaimPaths, JwtConfig};
use realtime_schema::JwtClaims;
use serde_json::{Value, json};

#[tokio::test]
async fn every_list_has_a_default_path() {
    let read = judged(
        JwtConfig::default(),
        json!({
            "jti": "t-1",
            "roles": ["admin", "ops"],
            "permissions": ["orders:read"],
            "grants": ["subscribe:order:*", "publish:user:{sub}:**"],
            "metadata": {"plan": "pro", "n": 1},
        }),
    )
    .await
    .unwrap();
    assert_eq!(roles(&read), ["admin", "ops"]);
    assert_eq!(read.permissions[0].as_str(), "orders:read");
    let grants: Vec<String> = read.grants.iter().map(ToString::to_string).collect();
    assert_eq!(grants, ["subscribe:order:*", "publish:user:{sub}:**"]);
    assert_eq!(Value::Object(read.metadata), json!({"plan": "pro", "n": 1}));
    assert_eq!(read.jti.as_deref(), Some("t-1"));
}

#[tokio::test]
async fn a_token_with_a_user_alone_gives_no_roles_grants_or_metadata() {
    let read = judged(JwtConfig::default(), json!({})).await.unwrap();
    assert_eq!(JwtClaims { exp: None, ..read.clone() }, JwtClaims::new(read.sub));
}

#[tokio::test]
async fn a_list_may_be_one_string_with_spaces_and_names_each_entry_once() {
    let read = judged(JwtConfig::default(), json!({"roles": " admin  ops admin "})).await.unwrap();
    assert_eq!(roles(&read), ["admin", "ops"]);
    let read = judged(JwtConfig::default(), json!({"roles": ["a", "b", "a"], "scope": "x y"})).await.unwrap();
    assert_eq!(roles(&read), ["a", "b"]);
    assert_eq!(read.permissions.len(), 2);
    let read = judged(JwtConfig::default(), json!({"roles": "", "permissions": []})).await.unwrap();
    assert!(read.roles.is_empty() && read.permissions.is_empty());
}

#[tokio::test]
async fn a_single_role_is_taken_whole() {
    // Split at the space it would give the role `admin`.
    let read = judged(JwtConfig::default(), json!({"role": "admin assistant"})).await.unwrap();
    assert_eq!(roles(&read), ["admin assistant"]);
    let read = judged(JwtConfig::default(), json!({"role": ["a", "b"]})).await.unwrap();
    assert_eq!(roles(&read), ["a", "b"]);
}

#[tokio::test]
async fn lists_at_several_paths_are_taken_together() {
    let paths = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let keycloak = with_paths(ClaimPaths {
        roles: paths(&["realm_access.roles", "resource_access.chat.roles"]),
        permissions: paths(&["permissions", "scope"]),
        grants: paths(&["grants", "extra.grants"]),
        ..ClaimPaths::default()
    });
    let said = json!({
        "realm_access": {"roles": ["user", "staff"]},
        "resource_access": {"chat": {"roles": ["moderator", "user"]}, "billing": {"roles": ["accountant"]}},
        "permissions": ["a"],
        "scope": "b a",
        "grants": ["subscribe:a:*"],
        "extra": {"grants": ["subscribe:b:*"]},
    });
    let read = judged(keycloak.clone(), said).await.unwrap();
    assert_eq!(roles(&read), ["user", "staff", "moderator"]);
    assert_eq!(read.permissions.iter().map(|p| p.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(read.grants.len(), 2);
    // One of them is enough, and a wrong one refuses the token wherever it stands.
    let read = judged(keycloak.clone(), json!({"resource_access": {"chat": {"roles": ["r"]}}})).await.unwrap();
    assert_eq!(roles(&read), ["r"]);
    refuses(
        keycloak,
        json!({"realm_access": {"roles": ["r"]}, "resource_access": {"chat": {"roles": [7]}}}),
        "claim `resource_access.chat.roles` has an entry that is not a string",
    )
    .await;
}

#[tokio::test]
async fn a_single_role_and_a_scope_count_only_where_there_is_no_list() {
    let read = judged(JwtConfig::default(), json!({"roles": [], "role": "admin"})).await.unwrap();
    assert!(read.roles.is_empty());
    let read = judged(JwtConfig::default(), json!({"permissions": ["a"], "scope": "b c"})).await.unwrap();
    assert_eq!(read.permissions.len(), 1);
    let read = judged(JwtConfig::default(), json!({"scope": "b c"})).await.unwrap();
    assert_eq!(read.permissions.len(), 2);
}

#[tokio::test]
async fn the_audience_may_stand_in_another_claim_and_other_claims_may_be_required() {
    let cognito = JwtConfig {
        audiences: vec!["app-1".into()],
        audience_claim: "client_id".into(),
        required_claims: vec![("token_use".into(), "access".into())],
        ..JwtConfig::default()
    };
    judged(cognito.clone(), json!({"client_id": "app-1", "token_use": "access"})).await.unwrap();
    refuses(cognito.clone(), json!({"client_id": "app-2", "token_use": "access"}), "it is for another audience").await;
    refuses(cognito.clone(), json!({"aud": "app-1", "token_use": "id"}), "claim `client_id` is missing").await;
    let id_token = json!({"client_id": "app-1", "token_use": "id"});
    refuses(cognito.clone(), id_token, "claim `token_use` does not have the value").await;
    refuses(cognito, json!({"client_id": "app-1"}), "claim `token_use` is missing").await;
}

#[tokio::test]
async fn paths_lead_into_objects_and_whole_names_come_first() {
    let paths = |path: &str| with_paths(ClaimPaths { roles: vec![path.into()], ..ClaimPaths::default() });
    for (path, said) in [
        ("realm_access.roles", json!({"realm_access": {"roles": ["r"]}})),
        ("a.b.c", json!({"a": {"b": {"c": "r"}}})),
        ("realm_access.roles", json!({"realm_access.roles": ["r"], "realm_access": {"roles": ["wrong"]}})),
        ("https://example.com/roles", json!({"https://example.com/roles": ["r"]})),
        ("https://example.com/app.roles", json!({"https://example.com/app": {"roles": ["r"]}})),
    ] {
        let read = judged(paths(path), said.clone()).await.unwrap();
        assert_eq!(roles(&read), ["r"], "{path} in {said}");
    }
    let read = judged(paths("realm_access.roles"), json!({"realm_access": {"other": 1}})).await.unwrap();
    assert!(read.roles.is_empty());
    refuses(
        paths("realm_access.roles"),
        json!({"realm_access": "admin"}),
        "claim `realm_access.roles` leads through a non-object",
    )
    .await;
}

#[tokio::test]
async fn an_entry_that_is_wrong_refuses_the_token_and_names_the_claim() {
    for (said, beginning) in [
        (json!({"roles": 7}), "claim `roles` is neither a string nor an array of strings"),
        (json!({"roles": {"admin": true}}), "claim `roles` is neither"),
        (json!({"roles": ["a", 7]}), "claim `roles` has an entry that is not a string"),
        (json!({"roles": [["a"]]}), "claim `roles` has an entry"),
        (json!({"roles": [""]}), "claim `roles` must not be empty"),
        (json!({"roles": ["x".repeat(256)]}), "claim `roles` is 256 characters long"),
        (json!({"role": ""}), "claim `role` must not be empty"),
        (json!({"role": true}), "claim `role` is neither"),
        (json!({"permissions": 1}), "claim `permissions` is neither"),
        (json!({"scope": ["\u{7}"]}), "claim `scope` contains the control"),
        (json!({"grants": ["subscribe"]}), "claim `grants` has an entry that is not ACTION:PATTERN"),
        (json!({"grants": ["destroy:order:*"]}), "claim `grants` has an entry that is not ACTION:PATTERN"),
        (json!({"grants": ["subscribe:a*b"]}), "claim `grants` has an entry that is not ACTION:PATTERN"),
        (json!({"grants": {"subscribe": "*"}}), "claim `grants` is neither"),
        (json!({"metadata": []}), "claim `metadata` is not an object"),
        (json!({"metadata": "x"}), "claim `metadata` is not an object"),
    ] {
        refuses(JwtConfig::default(), said, beginning).await;
    }
}

#[tokio::test]
async fn a_refusal_does_not_repeat_the_contents_of_the_token() {
    for said in [
        json!({"sub": "sesame\u{0}"}),
        json!({"roles": ["sesame\u{0}"]}),
        json!({"grants": ["sesame"]}),
        json!({"grants": ["subscribe:sesame*"]}),
        json!({"iss": {"sesame": 1}}),
        json!({"exp": "sesame"}),
    ] {
        let why = refused(&verifier(JwtConfig::default()), &hs256(&claims(said.clone()))).await;
        assert!(!why.contains("sesame"), "{said}: {why}");
    }
}
