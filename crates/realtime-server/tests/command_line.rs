//! The commands as a user types them, those that serve nothing.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

const SECRET: (&str, &str) = ("REALTIME_AUTH__HMAC_SECRET", "a-shared-secret-of-more-than-thirty-two-bytes");
const KEY: (&str, &str) = ("REALTIME_API__KEYS", "an-api-key-of-the-tests");

fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    command.args(args).env_clear().envs(env.iter().copied());
    command.output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_command_has_help_that_says_what_it_is_for() {
    let help = text(&run(&["--help"], &[]).stdout);
    for command in ["serve", "token", "check-config", "schemas", "explain", "config-reference"] {
        assert!(help.contains(command), "{help}");
        let own = run(&[command, "--help"], &[]);
        assert!(own.status.success() && text(&own.stdout).len() > 120, "{command}: {}", text(&own.stdout));
    }
}

#[test]
fn without_keys_it_refuses_to_serve_and_says_how_to_set_them() {
    let refused = run(&["serve"], &[]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    for needed in ["REALTIME_AUTH__HMAC_SECRET", "REALTIME_API__KEYS", "--dev"] {
        assert!(said.contains(needed), "{said}");
    }
    let said = text(&run(&["serve"], &[SECRET]).stderr);
    assert!(said.contains("REALTIME_API__KEYS") && !said.contains("REALTIME_AUTH__HMAC_SECRET"), "{said}");
    assert!(!said.contains(SECRET.1), "secrets are not repeated");
}

#[test]
fn the_environment_that_cargo_hands_on_holds_no_unknown_setting() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    // With the environment of this test, which is the one of `cargo run` too.
    let command = command.arg("check-config").env(SECRET.0, SECRET.1).env(KEY.0, KEY.1);
    // The test runner's own, for tests that are skipped.
    let checked = command.env_remove("REALTIME_SKIPS").output().expect("it runs");
    assert!(!text(&checked.stderr).contains("no such setting"), "{}", text(&checked.stderr));
}

#[test]
fn a_config_is_checked_without_serving() {
    let good = run(&["check-config"], &[SECRET, KEY]);
    assert!(good.status.success(), "{}", text(&good.stderr));
    assert!(text(&good.stdout).starts_with("usable: "));

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("realtime.toml");
    std::fs::write(&path, "[server]\nlistne = \"x\"\n[limits]\nburst = 1").expect("a file");
    let bad = run(&["check-config", "--config", path.to_str().expect("plain text")], &[SECRET, KEY]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(
        text(&bad.stderr).contains("server.listne (line 2): there is no such setting; did you mean `server.listen`?")
    );
    let missing = run(&["check-config"], &[SECRET, KEY, ("REALTIME_CONFIG", "/no/such/file.toml")]);
    assert!(text(&missing.stderr).contains("/no/such/file.toml"), "{}", text(&missing.stderr));
}

#[test]
fn a_relative_path_that_is_not_found_says_which_directory_it_was_looked_up_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, elsewhere) = (folder.path().join("realtime.toml"), folder.path().join("elsewhere"));
    std::fs::create_dir(&elsewhere).expect("a folder");
    let settings = "auth.hmac_secret_files = [\"hmac.key\"]\nauth.jwks_file = \"jwks.json\"\nauth.public_key_file = \
                    \"public.pem\"\napi.keys_file = \"./api.keys\"\ntls.cert_file = \"cert.pem\"\ntls.key_file = \
                    \"/no/such/key.pem\"\n";
    std::fs::write(&config, settings).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    command.args(["check-config", "--config"]).arg(&config).env_clear().current_dir(&elsewhere);
    let said = text(&command.output().expect("the binary runs").stderr);
    let base = format!("looked up in the working directory, {}", elsewhere.canonicalize().expect("a path").display());
    for setting in ["auth.hmac_secret_files", "auth.jwks_file", "auth.public_key_file", "api.keys_file", "tls (line"] {
        let line = said.lines().find(|line| line.trim_start().starts_with(setting));
        assert!(line.is_some_and(|line| line.contains(&base)), "{setting}: {said}");
    }
    assert!(!said.contains("hmac.key"), "it may be a secret: {said}");
    // An absolute path needs no base.
    std::fs::write(&config, "auth.jwks_file = \"/no/such/jwks.json\"\n").expect("a file");
    let said = text(&command.output().expect("the binary runs").stderr);
    assert!(said.contains("/no/such/jwks.json") && !said.contains("working directory"), "{said}");
}

#[test]
fn the_default_limits_are_no_reason_for_a_warning_about_open_files() {
    let checked = run(&["check-config"], &[SECRET, KEY]);
    assert!(!text(&checked.stderr).contains("warning: limits.connections"), "{}", text(&checked.stderr));
    let many = ("REALTIME_LIMITS__CONNECTIONS", "9000000000000000000");
    let checked = run(&["check-config"], &[SECRET, KEY, many]);
    let warned = "warning: limits.connections (REALTIME_LIMITS__CONNECTIONS): 9000000000000000000 connections";
    assert_eq!(text(&checked.stderr).contains(warned), cfg!(unix), "{}", text(&checked.stderr));
}

#[test]
fn schema_files_are_checked_beside_the_config_with_the_place_of_each_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("realtime.toml", "[[namespaces]]\npattern = \"topic:order:*\"\nmessages = { paid = \"paid.json\" }\n");
    write("paid.json", r#"{"properties": {"total": {"type": "intger"}}}"#);
    let path = folder.path().join("realtime.toml");
    // The paths are relative to the config, not to the directory of the process.
    let check = || run(&["check-config", "--config", path.to_str().expect("plain text")], &[SECRET, KEY]);
    let bad = check();
    assert_eq!(bad.status.code(), Some(2));
    let said = text(&bad.stderr);
    assert!(said.contains("namespaces[0].messages.paid (line 3): paid.json at /properties/total/type: "), "{said}");
    write("paid.json", r#"{"properties": {"total": {"type": "integer"}}}"#);
    assert!(check().status.success(), "{}", text(&check().stderr));
}

#[test]
fn checking_warns_of_what_serving_would_warn_of() {
    let checked = run(&["check-config"], &[SECRET, KEY, ("REALTIME_SERVER__LISTEN", "0.0.0.0:80")]);
    assert!(checked.status.success());
    let said = text(&checked.stderr);
    for warning in ["warning: server.listen (REALTIME_SERVER__LISTEN): ", "warning: server.allowed_origins: "] {
        assert!(said.contains(warning), "{said}");
    }
}

#[test]
fn a_pod_beside_other_services_starts() {
    let links = [
        ("REALTIME_REDIS_SERVICE_HOST", "10.0.0.7"),
        ("REALTIME_REDIS_SERVICE_PORT", "6379"),
        ("REALTIME_REDIS_PORT", "tcp://10.0.0.7:6379"),
        ("REALTIME_REDIS_PORT_6379_TCP_ADDR", "10.0.0.7"),
    ];
    let checked = run(&["check-config"], &[&links[..], &[SECRET, KEY]].concat());
    let said = text(&checked.stderr);
    assert!(checked.status.success() && said.contains("ignored 4 variables that Kubernetes sets"), "{said}");
    let mistyped = run(&["check-config"], &[SECRET, KEY, ("REALTIME_SERVER_LISTEN", "10.0.0.7:80")]);
    assert!(text(&mistyped.stderr).contains("did you mean `REALTIME_SERVER__LISTEN`?"));
}

#[test]
fn no_secret_is_printed_whatever_shape_it_is_given_in() {
    const SHAPES: [&str; 6] =
        ["\"SECRET\"", "SECRET", "[SECRET]", "{ SECRET = 1 }", "\"SECRET", "{ value = \"SECRET\" }"];
    let secret = "5ec7e700000000000000000000000000000000000000000000000000000000e7";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("realtime.toml");
    for setting in ["auth.hmac_secret", "api.keys", "api.key", "api"] {
        for shape in SHAPES.map(|shape| shape.replace("SECRET", secret)) {
            let name = format!("REALTIME_{}", setting.to_uppercase().replace('.', "__"));
            std::fs::write(&path, format!("{setting} = {shape}\nserver.listen = 5")).expect("a file");
            for out in [
                run(&["check-config", "--config", path.to_str().expect("plain text")], &[]),
                run(&["serve"], &[(&name, &shape), ("REALTIME_QQ", "")]),
            ] {
                let said = text(&out.stdout) + &text(&out.stderr);
                assert!(!out.status.success() && !said.is_empty(), "{setting} = {shape}");
                assert!(!said.contains("5ec7e7"), "{setting} = {shape}: {said}");
            }
        }
    }
}

#[test]
fn a_token_is_printed_alone() {
    let args = ["token", "--user", "alice", "--role", "admin", "--grant", "subscribe:order:*", "--ttl", "15m"];
    let made = run(&args, &[SECRET]);
    let token = text(&made.stdout);
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    assert_eq!(token.lines().count(), 1);

    let refused = run(&["token", "--user", "alice"], &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty() && text(&refused.stderr).contains("REALTIME_AUTH__HMAC_SECRET"));
    for wrong in [
        ["token", "--user", ""],
        ["token", "--user=alice", "--ttl=fortnight"],
        ["token", "--user=alice", "--grant=fly:away"],
    ] {
        let refused = run(&wrong, &[SECRET]);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
        assert!(refused.stdout.is_empty() && !refused.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn the_schemas_are_written_to_a_folder_that_need_not_exist() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("client/schemas");
    let written = run(&["schemas", "--out", out.to_str().expect("plain text")], &[]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    let names: BTreeSet<_> = std::fs::read_dir(&out)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("plain text"))
        .collect();
    let mut expected: BTreeSet<_> =
        realtime_schema::catalog().into_iter().map(|entry| format!("{}.schema.json", entry.name)).collect();
    expected.insert("openapi.json".into());
    assert_eq!(names, expected);
}

#[test]
fn a_port_that_is_taken_is_named_with_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (setting, variable, other) in [
        ("server.listen", "REALTIME_SERVER__LISTEN", ("REALTIME_SERVER__ADMIN_LISTEN", "127.0.0.1:0")),
        ("server.admin_listen", "REALTIME_SERVER__ADMIN_LISTEN", ("REALTIME_SERVER__LISTEN", "127.0.0.1:0")),
    ] {
        let refused = run(&["serve"], &[SECRET, KEY, (variable, &address), other]);
        let printed = text(&refused.stderr);
        assert!(!refused.status.success() && printed.contains(&address), "{printed}");
        assert!(printed.contains(&format!("set {setting} to another address")), "{printed}");
    }
}

#[test]
fn the_address_of_operators_may_be_given_by_a_flag() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", &address], &[SECRET, KEY]);
    let printed = text(&refused.stderr);
    assert!(!refused.status.success() && printed.contains(&address), "{printed}");
    assert!(printed.contains("server.admin_listen"), "{printed}");
}

#[test]
fn a_token_without_a_secret_names_every_setting_that_can_hold_one() {
    let refused = run(&["token", "--user", "alice"], &[]);
    let printed = text(&refused.stderr);
    assert!(!refused.status.success());
    for setting in ["auth.hmac_secret ", "auth.hmac_secret_files", "auth.providers"] {
        assert!(printed.contains(setting), "{setting}: {printed}");
    }
}

#[test]
fn explain_says_what_it_needs_and_that_no_server_is_there() {
    let message = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8f";
    let asked = ["explain", "--user", "alice", "--message", message, "--url", "http://127.0.0.1:9"];
    let without_key = run(&asked, &[]);
    assert_eq!(without_key.status.code(), Some(2));
    assert!(text(&without_key.stderr).contains("--key"), "{}", text(&without_key.stderr));
    let no_server = run(&asked, &[("REALTIME_API_KEY", "secret-of-the-tests")]);
    assert_eq!(no_server.status.code(), Some(1));
    let said = text(&no_server.stderr);
    assert!(said.contains("127.0.0.1:9") && !said.contains("secret-of-the-tests"), "{said}");
    let neither = run(&["explain", "--user", "alice", "--key", "k"], &[]);
    assert!(text(&neither.stderr).contains("--message"), "{}", text(&neither.stderr));
    let wrong = run(&["explain", "--user", "alice", "--key", "k", "--to", "group:x"], &[]);
    assert!(text(&wrong.stderr).contains("topic:T"), "{}", text(&wrong.stderr));
    // The variables of the command are no settings of the server.
    let set = [SECRET, KEY, ("REALTIME_URL", "http://127.0.0.1:9"), ("REALTIME_API_KEY", "k")];
    assert!(run(&["check-config"], &set).status.success());
}
