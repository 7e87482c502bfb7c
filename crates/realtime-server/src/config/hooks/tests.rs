//! What is wrong with `[hooks]` is found before the server starts.

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn hooks(toml: &str) -> HooksConfig {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{error}"))
}

fn problems(config: &HooksConfig) -> Vec<String> {
    let mut problems = Problems::default();
    config.check(&mut problems);
    problems.into_list().iter().map(ToString::to_string).collect()
}

fn warnings(config: &HooksConfig) -> Vec<String> {
    let mut warnings = Problems::default();
    config.warn(&mut warnings);
    warnings.into_list().into_iter().map(|warning| warning.key).collect()
}

#[test]
fn no_hook_is_on_by_default_and_that_is_no_problem() {
    assert_eq!(problems(&HooksConfig::default()), [""; 0]);
    assert!(HooksConfig::default().start().expect("nothing to start").is_none());
}

#[test]
fn all_faults_are_reported_at_once_and_none_shows_a_secret() {
    let config = hooks(
        r#"
        enabled = ["connect", "call", "subscribe"]
        url = "ftp://backend/hooks"
        secrets = ["too-short-a-secret"]
        timeout = "1s"
        attempt_timeout = "2s"
        concurrency = 0
        subscribe.url = "https://user:password@backend/subscribe"
        call.on_failure = "allow"
        presence.retries = 3
        "#,
    );
    let problems = problems(&config);
    for expected in [
        "hooks.concurrency: is 0",
        "hooks.attempt_timeout: is longer than hooks.timeout",
        "hooks.secrets[0]: a secret has 18 bytes",
        "hooks.presence: has no effect",
        "hooks.url: is neither https nor http",
        "hooks.subscribe.url: holds a user name or a password",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected}: {problems:#?}");
    }
    let text = problems.join("\n");
    assert!(!text.contains("too-short-a-secret") && !text.contains("user:password"), "{text}");
}

#[test]
fn a_hook_without_an_address_or_a_secret_is_a_problem() {
    let found = problems(&hooks(r#"enabled = ["connect"]"#));
    assert!(found.iter().any(|problem| problem.starts_with("hooks.secrets: no secret")), "{found:?}");
    assert!(found.iter().any(|problem| problem.contains("the address of the hook `connect`")), "{found:?}");
    let found = problems(&hooks(r#"url = "https://backend""#));
    assert!(found.iter().any(|problem| problem.starts_with("hooks.enabled: names no hook")), "{found:?}");
    let found = problems(&hooks("enabled = [\"connect\"]\nurl = \"https://backend?key=1\""));
    assert!(found.iter().any(|problem| problem.starts_with("hooks.url: has a `?`")), "{found:?}");
    let secrets = format!(r#"secrets = ["{SECRET}"]"#);
    let allowed = format!("enabled = [\"call\"]\nurl = \"https://backend\"\ncall.on_failure = \"last\"\n{secrets}");
    let found = problems(&hooks(&allowed));
    assert!(found.iter().any(|problem| problem.starts_with("hooks.call.on_failure: only `refuse`")), "{found:?}");
}

#[test]
fn a_hook_has_the_address_of_all_with_its_name_or_one_of_its_own() {
    let config = hooks(
        r#"
        enabled = ["connect", "call"]
        url = "https://backend/hooks/"
        timeout = "3s"
        call.url = "https://calls"
        call.timeout = "30s"
        "#,
    );
    let urls: Vec<_> = config.on().filter_map(|name| config.hook(name)).map(|hook| hook.url).collect();
    assert_eq!(urls, ["https://backend/hooks/connect", "https://calls"]);
    let mut settings = Settings::default();
    config.apply(&mut settings);
    assert_eq!(settings.hook_timeout, Duration::from_secs(31), "the service waits longer than the slowest hook");
}

#[test]
fn plain_http_to_another_machine_and_allowing_everything_are_warned_about() {
    let config = hooks(
        r#"
        enabled = ["connect", "subscribe"]
        url = "http://backend:9000"
        subscribe.url = "http://127.0.0.1:9000"
        subscribe.on_failure = "allow"
        "#,
    );
    assert_eq!(warnings(&config), ["hooks.url", "hooks.subscribe.on_failure"]);
}

#[test]
fn secrets_come_from_the_config_and_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secrets");
    fs::write(&path, format!("# new\n{SECRET}\n\n{SECRET}x\n")).expect("written");
    let config = HooksConfig {
        secrets: vec![SecretString::from(format!("{SECRET}\n"))],
        secrets_file: Some(path.clone()),
        ..HooksConfig::default()
    };
    let mut found = Problems::default();
    let secrets = config.all_secrets(&mut found);
    assert_eq!((secrets.len(), found.len()), (3, 0));
    assert_eq!(secrets[0], secrets[1], "without its newline");
    fs::write(&path, "short\n").expect("written");
    assert!(problems(&config).iter().any(|problem| problem.contains("line 1: a secret has 5 bytes")));
}
