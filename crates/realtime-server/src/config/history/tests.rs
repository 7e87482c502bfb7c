//! The section `[history]`: what is refused, warned about and passed on.

use std::time::Duration;

use super::*;
use crate::config::{
    Config,
    tests::{problems, usable},
};

#[test]
fn the_settings_reach_the_service() {
    let text = "[history]\ntotal_bytes = 1\ntotal_streams = 2\nposition_age = \"30d\"\nhold = \"4s\"\npage = 5\n\
                page_bytes = 6\nresume_ttl = \"7m\"";
    let config = Config { history: toml::from_str::<Config>(text).expect("a section").history, ..usable() };
    let history = config.settings().expect("usable").history;
    assert_eq!((history.total_bytes, history.total_streams), (1, 2));
    assert_eq!(history.position_age, Duration::from_secs(30 * 24 * 3600));
    assert_eq!((history.hold, history.page, history.page_bytes), (Duration::from_secs(4), 5, 6));
    assert_eq!(history.resume_ttl, Duration::from_secs(420));
}

#[test]
fn a_limit_of_nothing_and_a_short_secret_are_refused_by_name() {
    let mut config = usable();
    config.history = HistoryConfig {
        total_bytes: 0,
        total_streams: 0,
        position_age: Span::secs(0),
        hold: Span::secs(0),
        page: 0,
        page_bytes: 0,
        resume_ttl: Span::secs(0),
        resume_secrets: vec![SecretString::from("a secret of thirty-two bytes or more"), SecretString::from("short")],
    };
    let found = problems(&config);
    let mut keys: Vec<_> = found.iter().filter_map(|problem| problem.split(':').next()).collect();
    keys.sort_unstable();
    let names = ["hold", "page", "page_bytes", "position_age", "resume_secrets[1]", "resume_ttl", "total_bytes"];
    let names = names.iter().chain(&["total_streams"]).map(|name| format!("history.{name}"));
    assert_eq!(keys, names.collect::<Vec<_>>());
    assert!(!found.join("").contains("short\""), "no secret is shown");
}

#[test]
fn tickets_are_signed_with_the_secrets_and_without_one_by_the_service() {
    let mut config = usable();
    assert!(config.tickets().expect("usable").is_none());
    config.history.resume_secrets = vec![SecretString::from("a secret of thirty-two bytes or more\n")];
    assert!(config.tickets().expect("usable").is_some());
    let warnings = config.warnings();
    assert!(warnings.iter().any(|warning| warning.key == "history.resume_secrets[0]"), "{warnings:?}");
    config.history.resume_secrets = vec![SecretString::from("short")];
    assert!(config.tickets().is_err());
}

#[test]
fn a_page_that_does_not_fit_into_a_queue_is_warned_about() {
    let mut config = usable();
    config.limits.queue_bytes = config.history.page_bytes;
    let warned = |config: &Config| config.warnings().iter().any(|warning| warning.key == "history.page_bytes");
    assert!(!warned(&config));
    config.history.page_bytes += 1;
    assert!(warned(&config));
}

#[test]
fn less_in_all_than_one_stream_may_have_is_warned_about() {
    let mut config = usable();
    let namespaces = "[[namespaces]]\npattern = \"all\"\nhistory = { bytes = 200_000 }";
    config.namespaces = toml::from_str::<Config>(namespaces).expect("a namespace").namespaces;
    let warned = |config: &Config| config.warnings().iter().any(|warning| warning.key == "history.total_bytes");
    config.history.total_bytes = 199_999;
    assert!(warned(&config));
    config.history.total_bytes = 200_000;
    assert!(!warned(&config));
}
