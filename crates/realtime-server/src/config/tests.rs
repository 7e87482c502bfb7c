//! What a user is told when the settings, each right by itself, can't be used.

use secrecy::SecretString;

use super::*;

fn usable() -> Config {
    let mut config = Config::default();
    config.auth.hmac_secret = Some(SecretString::from("a secret of thirty-two bytes or more"));
    config.api.keys = vec![SecretString::from("an-api-key-of-enough-characters")];
    config
}

fn problems(config: &Config) -> Vec<String> {
    match config.check() {
        Err(ConfigError::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn without_keys_both_are_asked_for_with_their_names() {
    let found = problems(&Config::default());
    assert!(found[0].contains("REALTIME_AUTH__HMAC_SECRET") && found[0].contains("--dev"), "{found:?}");
    assert!(found[1].contains("REALTIME_API__KEYS"), "{found:?}");
    assert!(usable().check().is_ok());
}

#[test]
fn a_short_secret_a_short_api_key_and_an_unknown_algorithm_are_refused() {
    let mut config = usable();
    config.auth.hmac_secret = Some(SecretString::from("short"));
    config.api.keys = vec![SecretString::from("short")];
    let found = problems(&config);
    assert!(found[0].starts_with("auth.hmac_secret: ") && found[0].contains("32"), "{found:?}");
    assert!(found[1].starts_with("api.keys: "), "{found:?}");
    config = usable();
    config.auth.hmac_algorithm = "none".into();
    assert!(problems(&config)[0].starts_with("auth.hmac_algorithm: `none` is not an algorithm"));
}

#[test]
fn a_limit_of_nothing_and_a_wait_of_nothing_are_refused_by_name() {
    let mut config = usable();
    config.limits.connections = 0;
    config.limits.queue_bytes = 0;
    config.limits.topic_chars = 256;
    config.liveness.ping_interval = Span::secs(0);
    config.reconnect.min = Span::secs(60);
    let found = problems(&config).join("\n");
    for name in
        ["limits.connections", "limits.queue_bytes", "limits.topic_chars", "liveness.ping_interval", "reconnect.min"]
    {
        assert!(found.contains(&format!("{name}: ")), "{found}");
    }
    config = usable();
    config.limits.subscriptions = 0;
    assert!(config.check().is_ok(), "no subscriptions at all is a policy");
}

#[test]
fn what_serving_would_refuse_is_found_without_serving() {
    let mut config = usable();
    config.liveness.ping_interval = Span::secs(u64::MAX / 2);
    config.limits.max_message_bytes = 0;
    config.log.level = "verbose".into();
    config.auth.jwks.url = Some("http://example.com/keys".into());
    let found = problems(&config).join("\n");
    for name in ["liveness.ping_interval", "limits.max_message_bytes", "log.level", "jwks.url"] {
        assert!(found.contains(name), "{name} in {found}");
    }
    config.auth.jwks.url = Some("https://example.com/keys".into());
    config.auth.audiences = vec![String::new()];
    let found = problems(&config).join("\n");
    assert!(found.contains("audiences"), "{found}");
    for good in ["info", "info,hyper=warn", "realtime_server=trace", "OFF"] {
        config.log.level = good.into();
        assert!(!problems(&config).join("\n").contains("log.level"), "{good}");
    }
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    let mut config = usable();
    for good in ["https://app.example.com", "http://localhost:3000", "*"] {
        config.server.allowed_origins = vec![good.into()];
        assert!(config.check().is_ok(), "{good}");
    }
    for bad in ["app.example.com", "https://app.example.com/", "https://app.example.com/page", ""] {
        config.server.allowed_origins = vec![bad.into()];
        assert!(problems(&config)[0].starts_with("server.allowed_origins: "), "{bad}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", usable()) + &serde_json::to_string(&usable()).expect("plain data");
    assert!(!shown.contains("thirty-two") && !shown.contains("an-api-key"), "{shown}");
}
