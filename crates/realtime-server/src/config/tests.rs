//! What a user is told when the settings, each right by itself, can't be used.

use secrecy::{ExposeSecret, SecretString};

use super::*;

pub(super) fn usable() -> Config {
    let mut config = Config::default();
    config.auth.hmac_secret = Some(SecretString::from("a secret of thirty-two bytes or more"));
    config.api.keys = vec![SecretString::from("an-api-key-of-enough-characters")];
    config
}

pub(super) fn problems(config: &Config) -> Vec<String> {
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
    assert!(found[1].starts_with("api.keys[0]: "), "{found:?}");
    config = usable();
    config.auth.hmac_algorithm = "none".into();
    assert!(problems(&config)[0].starts_with("auth.hmac_algorithm: is not a supported algorithm: it is an unsigned"));
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
fn an_origin_that_no_browser_sends_is_refused_at_start() {
    let mut config = usable();
    for good in ["https://app.example.com", "http://localhost:3000", "https://*.example.com", "*"] {
        config.server.allowed_origins = vec![good.into()];
        assert!(config.check().is_ok(), "{good}");
    }
    for bad in ["app.example.com", "https://app.example.com/", "https://a.*.com", ""] {
        config.server.allowed_origins = vec![bad.into()];
        assert!(problems(&config)[0].starts_with("server.allowed_origins: "), "{bad}");
    }
}

#[test]
fn a_key_that_ends_in_a_newline_is_used_without_it_and_warned_about() {
    let mut config = usable();
    config.api.keys = vec![SecretString::from("an-api-key-of-enough-characters\n")];
    assert!(config.check().is_ok());
    assert_eq!(config.api_keys().expect("usable")[0].expose_secret(), "an-api-key-of-enough-characters");
    let warnings: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    assert!(warnings.iter().any(|said| said.starts_with("api.keys[0]: ends in a newline")), "{warnings:?}");
    config.api.keys = vec![SecretString::from("an-api-key-of-enough-characters\n\n")];
    assert!(problems(&config)[0].starts_with("api.keys[0]: "), "one, and not more");
}

#[test]
fn api_keys_come_from_a_file_too_one_per_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys");
    let mut config = usable();
    config.api.keys_file = Some(path.clone());
    assert!(problems(&config)[0].starts_with("api.keys_file: ") && problems(&config)[0].contains("keys: No such file"));
    std::fs::write(&path, "# until June\nthe-old-key-of-the-file\r\n\nthe-new-key-of-the-file\n").expect("a file");
    let keys = config.api_keys().expect("usable");
    let keys: Vec<_> = keys.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(keys, ["an-api-key-of-enough-characters", "the-old-key-of-the-file", "the-new-key-of-the-file"]);
    config.api.keys.clear();
    assert!(config.check().is_ok(), "a file is enough");
    for (text, said) in [
        ("too-short-secret", None),
        ("a-key-of-enough-characters\nshort-secret", Some("line 2: a key must have at least 16")),
        ("a key with spaces is no key", Some("line 1: a key must")),
        ("\n# nothing\n", Some("contains no key")),
        (&"x".repeat(70_000), Some("is larger than 65536 bytes")),
    ] {
        std::fs::write(&path, text).expect("a file");
        match said {
            None => assert!(config.check().is_ok(), "{text}"),
            Some(said) => {
                let found = problems(&config);
                assert!(found[0].contains(said) && !found[0].contains("secret"), "{found:?}");
            }
        }
    }
}

#[test]
fn what_is_usable_and_hardly_meant_is_warned_about() {
    let mut config = usable();
    config.server.allowed_origins = vec!["https://app.example.com".into()];
    config.limits.connections = 1;
    config.limits.http_sockets = 1;
    assert_eq!(config.warnings(), []);
    config.server.listen = "0.0.0.0:8080".parse().expect("an address");
    config.server.allowed_origins = Vec::new();
    config.limits.connections = usize::MAX;
    config.auth.allow_expired = true;
    config.auth.jwks.url = Some("http://example.com/keys".into());
    config.auth.jwks.insecure_http = true;
    let keys: Vec<_> = config.warnings().into_iter().map(|warning| warning.key).collect();
    let expected = [
        "server.listen",
        "server.allowed_origins",
        "auth.allow_expired",
        "auth.jwks.insecure_http",
        #[cfg(unix)]
        "limits.connections",
    ];
    assert_eq!(keys, expected);
    for (origins, said) in [
        (vec!["*", "https://app.example.com"], "contains `*`"),
        (vec!["https://*.com"], "every site of a top-level domain"),
    ] {
        config.server.allowed_origins = origins.into_iter().map(str::to_owned).collect();
        assert!(config.warnings().iter().any(|warning| warning.what.contains(said)), "{said}");
    }
}

#[test]
fn a_setting_of_proxies_without_effect_is_warned_about() {
    let server = |header: Option<&str>, hops, proxies: &[&str], proxy_protocol| {
        let mut config = usable();
        config.server.client_address_header = header.map(str::to_owned);
        config.server.trusted_hops = hops;
        config.server.trusted_proxies = proxies.iter().map(|&text| text.to_owned()).collect();
        config.server.proxy_protocol = proxy_protocol;
        let warned = config.warnings().into_iter().filter(|warning| warning.what.contains("has no effect"));
        warned.map(|warning| warning.key).collect::<Vec<_>>()
    };
    let header = Some("X-Forwarded-For");
    assert_eq!(server(None, 2, &[], false), ["server.trusted_hops"]);
    assert_eq!(server(None, 1, &["10.0.0.0/8"], false), ["server.trusted_proxies"]);
    assert_eq!(server(header, 2, &["10.0.0.0/8"], false), ["server.trusted_hops"]);
    for (header, hops, proxies, proxy_protocol) in [
        (None, 1, &[][..], false),
        (header, 2, &[], false),
        (header, 1, &["10.0.0.0/8"], false),
        (None, 1, &["10.0.0.0/8"], true),
    ] {
        assert!(
            server(header, hops, proxies, proxy_protocol).is_empty(),
            "{header:?} {hops} {proxies:?} {proxy_protocol}"
        );
    }
}

#[test]
fn the_password_of_an_origin_is_not_repeated() {
    let mut config = usable();
    config.server.allowed_origins = vec!["https://alice:hunter2@app.example.com".into()];
    assert!(!problems(&config)[0].contains("hunter2"));
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", usable()) + &serde_json::to_string(&usable()).expect("plain data");
    assert!(!shown.contains("thirty-two") && !shown.contains("an-api-key"), "{shown}");
}

#[test]
fn a_namespace_names_the_kind_of_its_streams_and_only_topics_can_be_subscribed_to() {
    let namespaces = |text: &str| toml::from_str::<Config>(text).map_err(|error| error.to_string());
    let bare = namespaces("[[namespaces]]\npattern = \"order:*\"").expect_err("a bare pattern");
    assert!(bare.contains("for topics write `topic:order:*`"), "{bare}");

    let text = "[[namespaces]]\npattern = \"topic:a\"\nsubscribe = \"authenticated\"\n\
                [[namespaces]]\npattern = \"role:*\"\nsubscribe = \"authenticated\"\n\
                [[namespaces]]\npattern = \"user\"\noverflow = \"drop\"";
    let config = Config { namespaces: namespaces(text).expect("namespaces").namespaces, ..usable() };
    let expected = "namespaces[1].subscribe: only topics can be subscribed to, and `role:*` is none; leave it out";
    assert_eq!(problems(&config), [expected]);
}
