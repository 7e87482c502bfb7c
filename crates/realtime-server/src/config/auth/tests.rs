//! What is reported when the settings of `[auth]` can't be used together, and which secrets are used.

use secrecy::SecretString;

use super::*;
use crate::config::tests::{problems, usable};

/// A provider with a public key of its own.
fn provider(name: &str, issuer: &str) -> ProviderConfig {
    let key = include_str!("../../../../realtime-adapters/tests/keys/test-p256.public.pem");
    ProviderConfig {
        name: name.into(),
        issuers: vec![issuer.into()],
        public_key: Some(key.into()),
        ..ProviderConfig::default()
    }
}

#[test]
fn a_secret_with_a_line_end_is_used_without_it() {
    let mut config = usable();
    config.auth.hmac_secret = Some(SecretString::from("a secret of thirty-two bytes or more\n"));
    assert!(config.check().is_ok());
    assert!(
        config.warnings().iter().any(|warning| warning.to_string().starts_with("auth.hmac_secret: ends in a newline"))
    );
    assert_eq!(config.auth.signing_secret().unwrap().unwrap(), b"a secret of thirty-two bytes or more");
    // Without its line end it is too short.
    config.auth.hmac_secret = Some(SecretString::from("a secret of only thirty-1 bytes\n"));
    assert!(problems(&config)[0].contains("31 bytes"), "{:?}", problems(&config));
}

#[test]
fn several_secrets_and_files_of_secrets_are_accepted_and_a_bad_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut config = usable();
    config.auth.hmac_secret = None;
    config.auth.hmac_secret_files = vec![
        path("new", "a new secret of thirty-two bytes or more\r\n"),
        path("old", "an old secret of thirty-two bytes or more"),
    ];
    config.check().unwrap();
    assert_eq!(config.auth.signing_secret().unwrap().unwrap(), b"a new secret of thirty-two bytes or more");
    config.auth.hmac_secrets = vec![SecretString::from("short")];
    config.auth.hmac_secret_files = vec![path("sesame", "short"), folder.path().join("missing")];
    let found = problems(&config);
    assert!(found[0].starts_with("auth.hmac_secrets: ") && found[0].contains("5 bytes"), "{found:?}");
    assert!(found[1].starts_with("auth.hmac_secret_files: ") && found[1].contains("sesame"), "{found:?}");
    assert!(found[2].starts_with("auth.hmac_secret_files: ") && found[2].contains("missing"), "{found:?}");
}

#[test]
fn an_issuer_with_its_own_keys_needs_a_name_issuers_and_a_key() {
    let mut config = usable();
    config.auth.providers = vec![provider("a", "https://a.example"), provider("b", "https://b.example")];
    config.check().unwrap();
    config.auth.providers[1] = ProviderConfig { issuers: Vec::new(), public_key: None, ..provider("b", "") };
    let found = problems(&config);
    assert!(found[0].starts_with("auth.providers[1].issuers: is empty"), "{found:?}");
    assert!(found[1].starts_with("auth.providers[1]: has no key"), "{found:?}");
    config.auth.providers[1] = provider("b", "https://a.example");
    let found = problems(&config);
    assert!(found[0].starts_with("auth.providers[1]: ") && found[0].contains("another entry lists"), "{found:?}");
    config.auth.providers[1] = provider("", "https://b.example");
    assert!(problems(&config)[0].starts_with("auth.providers[1].name: "));
}

#[test]
fn rules_beside_no_key_are_refused_where_only_providers_have_keys() {
    let mut config = usable();
    config.auth.hmac_secret = None;
    config.auth.providers = vec![provider("a", "https://a.example")];
    config.check().unwrap();
    config.auth.audiences = vec!["realtime".into()];
    assert!(problems(&config)[0].starts_with("auth.audiences: applies to the keys of [auth] itself"));
}

#[test]
fn a_claim_that_is_required_is_written_with_its_value() {
    let mut config = usable();
    config.auth.required_claims = vec!["token_use=access".into()];
    config.check().unwrap();
    config.auth.required_claims = vec!["token_use".into()];
    assert!(problems(&config)[0].contains("CLAIM=VALUE"));
    config = usable();
    config.auth.audience_claim = "client_id".into();
    assert!(problems(&config)[0].contains("`audience_claim`"));
}
