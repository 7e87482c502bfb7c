//! Identity providers as they are: each config of docs/identity.md against a token of that provider's shape, and keys
//! and secrets in the forms that files and environment variables give them.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{Router, http::StatusCode, routing::get};
use realtime_server::Config;
use realtime_tests::{Client, Issuer, Kind, World};
use serde_json::{Value, json};

/// The fenced block of docs/identity.md below the comment `<!-- KIND: NAME -->`.
fn block(kind: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/identity.md");
    let page = fs::read_to_string(path).expect("docs/identity.md");
    let (_, rest) = page.split_once(&format!("<!-- {kind}: {name} -->\n```")).expect(name);
    let (fenced, _) = rest.split_once("\n```").expect("the end of the block");
    fenced.split_once('\n').expect("a language").1.to_owned()
}

/// The claims of a token on the page, without its times.
fn claims(name: &str) -> Value {
    let mut claims: Value = serde_json::from_str(&block("token", name)).expect("the claims of a token");
    for time in ["exp", "iat", "nbf", "auth_time"] {
        claims.as_object_mut().expect("an object").remove(time);
    }
    claims
}

/// Serves what `keys` holds as a JWK Set, and a 500 while it holds nothing.
async fn serve(keys: Arc<Mutex<Option<Value>>>) -> SocketAddr {
    let response = async move || {
        let set = keys.lock().expect("no panic").clone();
        set.map(|keys| axum::Json(json!({ "keys": keys }))).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/keys", get(response))).await });
    address
}

/// A server with the config of the page, whose addresses and files are those of the test.
struct Page {
    world: World,
    rsa: Issuer,
    _folder: tempfile::TempDir,
}

impl Page {
    async fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("realtime.toml");
        fs::write(&file, block("provider", name)).expect("a file");
        let mut auth = Config::load(Some(&file), [], []).expect("a config").auth;
        let rsa = Issuer::of(Kind::Rsa("RS256")).with_kid("rotated-1");
        // Entra and others publish RSA keys without `alg`.
        let mut jwk = rsa.jwk();
        jwk.as_object_mut().expect("an object").remove("alg");
        let address = serve(Arc::new(Mutex::new(Some(json!([jwk]))))).await;
        let jwks = auth.providers.iter_mut().map(|provider| &mut provider.jwks).chain([&mut auth.jwks]);
        for url in jwks.filter_map(|jwks| jwks.url.as_mut()) {
            assert!(url.starts_with("https://"), "{url}");
            *url = format!("http://{address}/keys");
        }
        let secrets = auth.providers.iter_mut().map(|provider| &mut provider.hmac_secret_files);
        for path in secrets.chain([&mut auth.hmac_secret_files]).flatten() {
            *path = secret_file(folder.path(), path);
        }
        let world = World::with(|config| config.auth = auth).await;
        Self { world, rsa, _folder: folder }
    }

    async fn connect(&self, token: &str) -> Result<Client, String> {
        let connected = self.world.try_connect(&format!("/ws?token={token}"), &[]).await;
        connected.map_err(|refusal| format!("{} {}", refusal.status, refusal.problem))
    }

    async fn welcome(&self, token: &str) -> Value {
        let client = self.connect(token).await.unwrap_or_else(|refusal| panic!("refused: {refusal}"));
        client.welcome().clone()
    }

    async fn refuses(&self, token: &str, why: &str) {
        match self.connect(token).await {
            Ok(_) => panic!("accepted; expected: {why}"),
            Err(refusal) => assert!(refusal.starts_with("401") && refusal.contains(why), "{refusal}"),
        }
    }
}

/// A file in `folder` instead of `path`: the one that is called old has another secret than the tests sign with.
fn secret_file(folder: &Path, path: &Path) -> PathBuf {
    let name = path.file_name().expect("a name").to_string_lossy();
    let own = folder.join(&*name);
    let secret = if name.ends_with("old") { "the secret of before, with over 32 bytes" } else { Issuer::SECRET };
    fs::write(&own, format!("{secret}\n")).expect("a file");
    own
}

/// The user and the roles that the page's token gives with the page's config.
async fn accepts(name: &str, user: &str, roles: &[&str]) -> Page {
    let page = Page::of(name).await;
    let said = page.welcome(&page.rsa.token("unused", &claims(name))).await;
    assert_eq!(said["user"], user, "{said}");
    let mut expected: Vec<_> = roles.to_vec();
    expected.sort_unstable();
    assert_eq!(said["roles"], json!(expected), "{said}");
    page
}

/// The same token with members of `change` in place of its own is refused.
async fn refuses(page: &Page, name: &str, change: Value, why: &str) {
    let mut claims = claims(name);
    let change = change.as_object().expect("an object").clone();
    claims.as_object_mut().expect("an object").extend(change);
    page.refuses(&page.rsa.token("unused", &claims), why).await;
}

#[tokio::test]
async fn keycloak_gives_the_roles_of_the_realm_and_of_the_client() {
    let page = accepts("keycloak", "f:9a1c:alice", &["member", "moderator", "offline_access"]).await;
    refuses(&page, "keycloak", json!({"aud": "account"}), "another audience").await;
    refuses(&page, "keycloak", json!({"iss": "https://KEYCLOAK/realms/OTHER"}), "issuer").await;
}

#[tokio::test]
async fn auth0_gives_roles_under_a_name_with_a_scheme() {
    let page = accepts("auth0", "auth0|5f7c8ec7c33c6c004bbafe82", &["member", "moderator"]).await;
    // The issuer ends in a slash, and that matters.
    refuses(&page, "auth0", json!({"iss": "https://TENANT.eu.auth0.com"}), "issuer").await;
}

#[tokio::test]
async fn cognito_names_its_audience_in_client_id_and_its_id_tokens_are_refused() {
    let page = accepts("cognito", "aaaaaaaa-bbbb-cccc-dddd-example", &["member", "moderator"]).await;
    refuses(&page, "cognito", json!({"client_id": "OTHER"}), "another audience").await;
    refuses(&page, "cognito", json!({"client_id": null, "aud": "APP_CLIENT_ID", "token_use": "id"}), "client_id").await;
    refuses(&page, "cognito", json!({"token_use": "id"}), "token_use").await;
}

#[tokio::test]
async fn entra_names_the_user_in_oid() {
    let page = accepts("entra", "00000000-0000-0000-66f3-3332eca7ea81", &["member", "moderator"]).await;
    refuses(&page, "entra", json!({"oid": null}), "claim `oid` is missing").await;
    refuses(&page, "entra", json!({"iss": "https://sts.windows.net/TENANT_ID/"}), "issuer").await;
}

#[tokio::test]
async fn firebase_names_the_project_as_audience() {
    let page = accepts("firebase", "Yl7cJ0bZ3hQpXr8a", &["member", "moderator"]).await;
    refuses(&page, "firebase", json!({"aud": "OTHER"}), "another audience").await;
}

#[tokio::test]
async fn an_own_backend_signs_with_a_secret_and_numbers_its_users() {
    let page = Page::of("own").await;
    let said = page.welcome(&page.world.token("unused", &claims("own"))).await;
    assert_eq!((&said["user"], &said["roles"]), (&json!("42"), &json!(["member", "moderator"])));
    page.refuses(&page.rsa.token("unused", &claims("own")), "`alg`").await;
}

#[tokio::test]
async fn of_several_providers_each_accepts_only_tokens_of_its_own_key() {
    let page = Page::of("several").await;
    let (staff, customer) = (claims("entra"), claims("own"));
    let said = page.welcome(&page.rsa.token("unused", &staff)).await;
    assert_eq!(said["user"], "00000000-0000-0000-66f3-3332eca7ea81");
    assert_eq!(page.welcome(&page.world.token("unused", &customer)).await["user"], "42");
    // Signed with the key of the other one.
    page.refuses(&page.world.token("unused", &staff), "`alg`").await;
    page.refuses(&page.rsa.token("unused", &customer), "`alg`").await;
    let unknown = page.world.token("alice", &json!({"iss": "https://evil.example", "aud": "realtime"}));
    page.refuses(&unknown, "not one that is configured here").await;
}

#[tokio::test]
async fn a_secret_from_the_environment_may_end_in_a_newline() {
    let env = [("REALTIME_AUTH__HMAC_SECRET".to_owned(), format!("{}\n", Issuer::SECRET))];
    let auth = Config::load(None, env, []).expect("a config").auth;
    World::with(|config| config.auth = auth).await.connect("alice").await;
}

#[tokio::test]
async fn a_public_key_from_the_environment_may_have_escaped_line_ends() {
    let pem = include_str!("../../crates/realtime-adapters/tests/keys/test-rsa.public.pem").replace('\n', "\\n");
    let env = [("REALTIME_AUTH__PUBLIC_KEY".to_owned(), pem)];
    let auth = Config::load(None, env, []).expect("a config").auth;
    let world = World::with(|config| config.auth = auth).await;
    let token = Issuer::of(Kind::Rsa("RS256")).token("alice", &json!({}));
    assert!(world.try_connect(&format!("/ws?token={token}"), &[]).await.is_ok());
}

/// A server whose keys come from an address that serves `keys`.
async fn fetching(keys: &Arc<Mutex<Option<Value>>>) -> World {
    let address = serve(Arc::clone(keys)).await;
    World::with(|config| {
        config.auth.hmac_secret = None;
        config.auth.jwks.url = Some(format!("http://{address}/keys"));
    })
    .await
}

#[tokio::test]
async fn a_rotation_that_lists_a_key_twice_and_a_bad_one_loads_the_new_key() {
    let (old, new) = (Issuer::of(Kind::Rsa("RS256")).with_kid("old"), Issuer::of(Kind::Es256).with_kid("new"));
    let keys = Arc::new(Mutex::new(Some(json!([old.jwk()]))));
    let world = fetching(&keys).await;
    let mut bad = old.jwk();
    (bad["kid"], bad["n"]) = (json!("bad"), json!("AQAB"));
    *keys.lock().expect("no panic") = Some(json!([old.jwk(), old.jwk(), bad, new.jwk()]));
    let token = new.token("alice", &json!({}));
    assert!(world.try_connect(&format!("/ws?token={token}"), &[]).await.is_ok());
    assert_eq!(world.metric("realtime_verification_keys{issuer=\"default\"}").await, 2);
    assert_eq!(world.metric("realtime_verification_keys_left_out{issuer=\"default\"}").await, 1);
    assert_eq!(world.get("/readyz").await.text, "ready\n");
}

#[tokio::test]
async fn readiness_and_metrics_tell_that_a_jwks_address_fails() {
    let issuer = Issuer::of(Kind::Es256).with_kid("a");
    let keys = Arc::new(Mutex::new(None));
    let world = fetching(&keys).await;
    let not_ready = world.get("/readyz").await;
    assert_eq!(not_ready.status, 503);
    assert!(not_ready.text.contains("no key") && not_ready.text.contains("status 500"), "{}", not_ready.text);
    assert_eq!(world.metric("realtime_verification_keys{issuer=\"default\"}").await, 0);
    assert_eq!(world.metric("realtime_jwks_stale{issuer=\"default\"}").await, 1);

    // It comes back, and fails again: the last good keys stay, and that is said.
    *keys.lock().expect("no panic") = Some(json!([issuer.jwk()]));
    world.until("realtime_verification_keys{issuer=\"default\"}", 1).await;
    assert_eq!(world.get("/readyz").await.text, "ready\n");
    assert!(world.metric("realtime_jwks_last_success_timestamp_seconds{issuer=\"default\"}").await > 1_700_000_000);
    *keys.lock().expect("no panic") = None;
    let failures = world.metric("realtime_jwks_fetch_failures_total{issuer=\"default\"}").await;
    let unknown = Issuer::of(Kind::Rsa("RS256")).with_kid("b").token("alice", &json!({}));
    let refusal = world.try_connect(&format!("/ws?token={unknown}"), &[]).await.err().expect("a refusal");
    assert_eq!(refusal.status, 503, "whether the key is new can't be known now");
    assert_eq!(world.metric("realtime_jwks_fetch_failures_total{issuer=\"default\"}").await, failures + 1);
    let degraded = world.get("/readyz").await;
    assert_eq!(degraded.status, 200);
    assert!(degraded.text.starts_with("ready\ndegraded: issuer default: its keys are "), "{}", degraded.text);
    let token = issuer.token("alice", &json!({}));
    assert!(world.try_connect(&format!("/ws?token={token}"), &[]).await.is_ok());
}
