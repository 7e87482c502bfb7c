//! What a user finds when a setting is right, overridden, or mistyped.

use std::{fs, path::PathBuf};

use super::*;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("realtime.toml");
    fs::write(&path, text).expect("a file");
    (folder, path)
}

fn problems(result: Result<Config, ConfigError>) -> Vec<String> {
    match result {
        Err(ConfigError::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn flags_go_over_the_environment_and_that_over_the_file() {
    let (_folder, path) = file("[limits]\nconnections = 1\nburst = 7\n[server]\nlisten = \"127.0.0.1:1\"");
    let environment = env(&[("REALTIME_LIMITS__CONNECTIONS", "2"), ("REALTIME_SERVER__LISTEN", "127.0.0.1:2")]);
    let config =
        Config::load(Some(&path), environment, [("server.listen", "127.0.0.1:3".to_owned())]).expect("a config");
    assert_eq!(config.limits.connections, 2);
    assert_eq!(config.limits.burst, 7);
    assert_eq!(config.server.listen.port(), 3);
}

#[test]
fn the_environment_can_set_every_kind_of_value() {
    let config = Config::load(
        None,
        env(&[
            ("REALTIME_API__KEYS", "first-key-of-ours, second-key-of-ours"),
            ("REALTIME_SERVER__ALLOWED_ORIGINS", r#"["https://a.example", "https://b.example"]"#),
            ("REALTIME_AUTH__ALLOW_EXPIRED", "true"),
            ("REALTIME_AUTH__JWKS__REFRESH", "1h"),
            ("REALTIME_NAMESPACES", r#"[{ pattern = "topic:news:**", subscribe = "authenticated" }]"#),
            ("REALTIME_DELIVERY__OVERFLOW", "latest"),
        ]),
        [],
    )
    .expect("a config");
    assert_eq!(config.api.keys.len(), 2);
    assert_eq!(config.server.allowed_origins.len(), 2);
    assert!(config.auth.allow_expired);
    assert_eq!(config.auth.jwks.refresh.to_string(), "1h");
    assert_eq!(config.namespaces.len(), 1);
    assert_eq!(config.delivery.overflow, realtime_core::policy::Overflow::Latest);
}

#[test]
fn every_unknown_key_is_named_with_the_nearest_that_there_is() {
    let (_folder, path) = file("[limits]\nconections = 1\n[auth.jwks]\nuri = \"x\"\n[[namespaces]]\npatern = \"a\"");
    let found = problems(Config::load(Some(&path), env(&[("REALTIME_API__KEY", "x")]), []));
    for expected in [
        "limits.conections (line 2): there is no such setting; did you mean `limits.connections`?",
        "auth.jwks.uri (line 4): there is no such setting; did you mean `auth.jwks.url`?",
        "namespaces[0].patern (line 6): there is no such setting; did you mean `namespaces.pattern`?",
        "REALTIME_API__KEY: there is no such setting; did you mean `REALTIME_API__KEYS`?",
    ] {
        assert!(found.iter().any(|problem| problem == expected), "{expected} is not in {found:#?}");
    }
}

#[test]
fn a_variable_without_its_section_or_with_one_underscore_too_few_is_refused_with_the_right_one() {
    for (wrong, right) in [
        ("REALTIME_AUTH_HMAC_SECRET", "REALTIME_AUTH__HMAC_SECRET"),
        ("REALTIME_HMAC_SECRET", "REALTIME_AUTH__HMAC_SECRET"),
        ("REALTIME_LISTEN", "REALTIME_SERVER__LISTEN"),
        ("REALTIME_SERVER_LISTEN", "REALTIME_SERVER__LISTEN"),
        ("REALTIME_CONNECTIONS", "REALTIME_LIMITS__CONNECTIONS"),
        ("REALTIME_CONECTIONS", "REALTIME_LIMITS__CONNECTIONS"),
    ] {
        let found = problems(Config::load(None, env(&[(wrong, "x")]), []));
        assert_eq!(found, [format!("{wrong}: there is no such setting; did you mean `{right}`?")]);
    }
    let unlike = problems(Config::load(None, env(&[("REALTIME_QQ", "x")]), []));
    assert_eq!(
        unlike,
        ["REALTIME_QQ: there is no such setting; `realtime-server config-reference` lists every setting"]
    );
}

#[test]
fn the_variables_of_neighbouring_services_do_not_stop_the_server() {
    let theirs = [
        ("REALTIME_REDIS_SERVICE_HOST", "10.0.0.7"),
        ("REALTIME_REDIS_SERVICE_PORT", "6379"),
        ("REALTIME_REDIS_PORT", "tcp://10.0.0.7:6379"),
        ("REALTIME_REDIS_PORT_6379_TCP_ADDR", "10.0.0.7"),
        ("REALTIME_SERVICE_HOST", "10.0.0.8"),
        ("REALTIME_API_SERVICE_HOST", "10.0.0.9"),
        ("REALTIME_SERVER_PORT", "tcp://10.0.0.9:8080"),
    ];
    let draft = Draft::read(None, env(&theirs), []).expect("no file");
    assert_eq!(draft.service_links(), theirs.map(|(name, _)| name));
    assert!(draft.finish().is_ok());
    for ours in ["REALTIME_SERVICE", "REALTIME_SERVER_PORT", "REALTIME_PORT", "REALTIME_SERVER_LISTEN"] {
        let found = problems(Config::load(None, env(&[(ours, "8080")]), []));
        assert!(found[0].starts_with(ours) && found[0].contains("there is no such setting"), "{found:?}");
    }
}

#[test]
fn a_value_that_does_not_fit_is_named_with_what_would() {
    let found = problems(Config::load(None, env(&[("REALTIME_LIMITS__BURST", "many")]), []));
    assert_eq!(found, ["REALTIME_LIMITS__BURST: `many` is not a whole number"]);
    let (_folder, path) = file("[liveness]\nping_interval = 25");
    let found = problems(Config::load(Some(&path), [], []));
    let expected = "a time span in quotes and with a unit, such as \"25s\"";
    assert_eq!(found, [format!("liveness.ping_interval (line 2): is `25`, expected {expected}")]);
    let (_folder, path) = file("[liveness]\nping_interval = \"25\"");
    assert!(problems(Config::load(Some(&path), [], []))[0].contains("write it with a unit"));
    let found = problems(Config::load(None, env(&[("REALTIME_LIVENESS__PING_INTERVAL", "25")]), []));
    assert!(found[0].starts_with("liveness.ping_interval (REALTIME_LIVENESS__PING_INTERVAL): `25` is"), "{found:?}");
    let found = problems(Config::load(None, [], [("server.listen", "localhost".to_owned())]));
    assert!(found[0].starts_with("server.listen (--listen): `localhost` is"), "{found:?}");
}

#[test]
fn what_would_fit_is_said_in_the_words_of_the_file_and_not_of_rust() {
    for (text, said) in [
        (
            "[limits]\nconnections = \"many\"",
            "limits.connections (line 2): is the text \"many\", expected a whole number",
        ),
        (
            "[limits]\nqueue_bytes = -1",
            "limits.queue_bytes (line 2): invalid value: integer `-1`, expected a whole number, 0 or more",
        ),
        (
            "[limits]\nburst = 4294967296",
            "limits.burst (line 2): invalid value: integer `4294967296`, expected a whole number from 0 to 4294967295",
        ),
        ("server = 5", "server (line 1): is `5`, expected a section with its own keys"),
        (
            "[api]\nkeys = 5",
            "api.keys (line 2): is a number (not shown: it may be a secret), expected a list of texts, such as [\"…\"]",
        ),
        (
            "[server]\nlisten = \"localhost\"",
            "server.listen (line 2): `localhost` is not an address with a port, such as `127.0.0.1:8080`",
        ),
    ] {
        let (_folder, path) = file(text);
        assert_eq!(problems(Config::load(Some(&path), [], [])), [said]);
    }
}

#[test]
fn all_faults_of_a_file_are_found_in_one_run() {
    let (_folder, path) = file(
        "\
[server]
listen = \"localhost\"
allowed_origins = [\"https://a.example/\", 5]
[limits]
conections = 1
burst = \"many\"
queue_bytes = -1
headers = 0
[liveness]
ping_interval = \"25\"
pong_misses = 0
[[namespaces]]
pattern = \"a:**:b\"
subscribe = \"all\"
[[namespaces]]
subscribe = \"granted\"
[api]
keys = \"one\"
",
    );
    let draft = Draft::read(Some(&path), env(&[("REALTIME_API__TIMEOUT", "0s"), ("REALTIME_QQ", "")]), []);
    let found = problems(draft.expect("a draft").checked(|_| {}));
    for expected in [
        "server.listen (line 2): ",
        "server.allowed_origins[1] (line 3): ",
        "server.allowed_origins (line 3): `https://a.example/` can never match",
        "limits.conections (line 5): ",
        "limits.burst (line 6): ",
        "limits.queue_bytes (line 7): ",
        "limits.headers (line 8): is 0",
        "liveness.ping_interval (line 10): ",
        "liveness.pong_misses (line 11): is 0",
        "namespaces[0].pattern (line 13): ",
        "namespaces[0].subscribe (line 14): ",
        "namespaces[1].pattern (line 15): is required",
        "api.keys (line 18): ",
        "api.timeout (REALTIME_API__TIMEOUT): is 0",
        "REALTIME_QQ: ",
        "auth: no key to verify tokens with",
    ] {
        assert_eq!(found.iter().filter(|said| said.starts_with(expected)).count(), 1, "{expected} in {found:#?}");
    }
    assert_eq!(found.len(), 16, "nothing that only follows from another fault: {found:#?}");
}

#[test]
fn an_unknown_key_of_a_namespace_is_reported_with_the_keys_that_it_can_have() {
    let (_folder, path) = file("[[namespaces]]\npattern = \"all\"\nstray = 1");
    let found = problems(Config::load(Some(&path), [], []));
    let keys = "the keys here are `history`, `messages`, `overflow`, `pattern`, `presence`, `publish`, `subscribe` and \
                `unknown_types`";
    assert_eq!(found, [format!("namespaces[0].stray (line 3): there is no such setting; {keys}")]);
    let (_folder, path) = file("auth.stray = 1");
    let found = problems(Config::load(Some(&path), [], []));
    assert!(!found[0].contains("`auth`"), "the section itself is no suggestion: {found:?}");
}

#[test]
fn a_namespace_without_a_pattern_is_one_fault() {
    let (_folder, path) = file("[[namespaces]]\nsubscribe = \"authenticated\"");
    let found = problems(Draft::read(Some(&path), [], []).expect("TOML").checked(|_| {}));
    let of_namespaces: Vec<_> = found.iter().filter(|problem| problem.starts_with("namespaces")).collect();
    assert_eq!(of_namespaces, ["namespaces[0].pattern (line 1): is required"]);
}

#[test]
fn a_word_that_a_setting_does_not_know_is_reported_with_those_that_it_does() {
    for (text, said) in [
        ("metrics.access = \"all\"", "metrics.access (line 1): is not one of its values; use `key` or `open`"),
        (
            "delivery.overflow = \"wait\"",
            "delivery.overflow (line 1): is not one of its values; use `close`, `drop` or `latest`",
        ),
    ] {
        let (_folder, path) = file(text);
        assert_eq!(problems(Config::load(Some(&path), [], [])), [said]);
    }
}

#[test]
fn a_broken_file_is_named_by_line_and_its_contents_are_not_repeated() {
    let (_folder, path) = file("[auth]\nhmac_secret = \"not closed and secret");
    let error = Config::load(Some(&path), [], []).expect_err("not TOML").to_string();
    assert!(error.contains("line 2") && !error.contains("not closed and secret"), "{error}");
    let (_folder, path) = file("[api]\nkeys = \n[server]\nlisten = x y\n");
    let error = Config::load(Some(&path), [], []).expect_err("not TOML").to_string();
    assert!(error.contains("line 2: ") && error.contains("line 4: "), "all of them: {error}");
    let missing = path.with_file_name("missing.toml");
    let error = Config::load(Some(&missing), [], []).expect_err("no file").to_string();
    assert!(error.contains("missing.toml"), "{error}");
}

#[test]
fn all_faults_of_one_list_are_named() {
    let text = "[server]\nallowed_origins = [\"app.example.com\", \"https://a.example/\"]\n\
                trusted_proxies = [\"10.0.0.0/99\", \"banana\"]\nadmin_listen = \"127.0.0.1:8080\"\n";
    let (_folder, path) = file(text);
    let draft = Draft::read(Some(&path), [], []).expect("TOML");
    let found = problems(draft.checked(|_| {}));
    for fault in ["`app.example.com`", "`https://a.example/`", "`10.0.0.0/99`", "`banana`", "the same address"] {
        assert!(found.iter().any(|problem| problem.contains(fault)), "{fault} is not in {found:#?}");
    }
}
