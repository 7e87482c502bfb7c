//! Centrifugo 6, as its documentation describes it, with a token for each connection and the buffers that the
//! documentation recommends for many connections: a pool for writing, 512 bytes for reading.

use std::{fs, net::SocketAddr, path::Path};

use serde_json::{Value, json};
use tokio::process::Command;

use super::{Start, on_path, process::pinned};
use crate::{options::Result, tokens, wire::Target};

/// The publisher's credentials.
pub(super) const KEY_HEADER: &str = "X-API-Key: an-api-key-of-the-benchmarks\r\nContent-Type: application/json\r\n";
const KEY: &str = "an-api-key-of-the-benchmarks";

pub(super) fn missing() -> Option<String> {
    on_path("centrifugo")
        .is_none()
        .then(|| "not on the PATH; with Go: `go install github.com/centrifugal/centrifugo/v6@v6.9.1`".to_owned())
}

pub(super) fn command(start: &Start, folder: &Path, address: SocketAddr) -> Result<Command> {
    let path = folder.join("centrifugo.json");
    fs::write(&path, config(start)?.to_string())?;
    let mut command = pinned(start, &on_path("centrifugo").ok_or("no centrifugo")?);
    command
        .arg("--config")
        .arg(path)
        .args(["--http_server.address", "127.0.0.1", "--http_server.port", &address.port().to_string()])
        .args(["--log.level", "error"]);
    Ok(command)
}

fn config(start: &Start) -> Result<Value> {
    let (name, key) = match start.tokens {
        tokens::Kind::Hs256 => ("hmac_secret_key", tokens::SECRET),
        tokens::Kind::Rs256 => ("rsa_public_key", tokens::Kind::Rs256.public_key().unwrap_or_default()),
        tokens::Kind::Es256 => ("ecdsa_public_key", tokens::Kind::Es256.public_key().unwrap_or_default()),
        tokens::Kind::EdDsa => return Err("centrifugo verifies no EdDSA".into()),
    };
    let mut channels = json!({"allow_subscribe_for_client": true});
    if let Some(messages) = start.history.messages() {
        channels["history_size"] = json!(messages);
        channels["history_ttl"] = json!("1h");
        channels["force_recovery"] = json!(true);
    }
    Ok(json!({
        "client": {
            "token": {name: key},
            "allowed_origins": ["*"],
            // No case lasts as long: its pings are commands of its protocol, to which these clients do not respond.
            "ping_interval": "300s",
            // The defaults are 300 messages and 1 MiB; the cases recover more.
            "recovery_max_publication_limit": 100_000,
            "queue_max_size": 64 << 20,
            "subscribe_to_user_personal_channel": {"enabled": true}
        },
        "channel": {"without_namespace": channels},
        "websocket": {"use_write_buffer_pool": true, "read_buffer_size": 512, "write_buffer_size": 512},
        "http_api": {"key": KEY},
        "usage_stats": {"disabled": true}
    }))
}

/// What a client sends first.
pub(super) fn connect(token: &str) -> String {
    json!({"id": 1, "connect": {"token": token}}).to_string()
}

/// What subscribes to a topic, and recovers what it had after `since`. The response contains [`SUBSCRIBED`].
pub(super) fn subscribe(topic: &str, since: Option<&str>) -> String {
    let mut subscribe = json!({"channel": topic});
    if let Some(Value::Object(position)) = since.and_then(|since| serde_json::from_str(since).ok()) {
        subscribe["recover"] = json!(true);
        for (name, value) in position {
            subscribe[name] = value;
        }
    }
    json!({"id": 2, "subscribe": subscribe}).to_string()
}

/// The response to `subscribe` contains this, a refusal does not.
pub(super) const SUBSCRIBED: &str = "\"subscribe\":";

/// The position in the response to `subscribe`. An offset of zero is left out.
pub(super) fn position(subscribed: &Value) -> String {
    json!({"epoch": subscribed["epoch"], "offset": subscribed["offset"].as_u64().unwrap_or(0)}).to_string()
}

/// The path and the body of a request that publishes all of `messages`.
pub(super) fn publish(messages: &[(Target, String)]) -> (&'static str, String) {
    let publish = |(target, text): &(Target, String)| {
        let channel = match target {
            Target::Topic(topic) => topic.clone(),
            // The personal channel, which its connections have without a subscription of their own.
            Target::User(user) => format!("#{user}"),
            // It has none; no case publishes to one here.
            Target::Role(role) => format!("role-{role}"),
        };
        json!({"channel": channel, "data": text})
    };
    match messages {
        [one] => ("/api/publish", publish(one).to_string()),
        many => {
            let commands: Vec<_> = many.iter().map(|message| json!({"publish": publish(message)})).collect();
            ("/api/batch", json!({"commands": commands}).to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::History;

    #[test]
    fn a_client_that_comes_back_names_where_it_stopped() {
        let subscribed = json!({"recoverable": true, "epoch": "qkTz", "positioned": true});
        let since = position(&subscribed);
        let command: Value = serde_json::from_str(&subscribe("bench", Some(&since))).expect("JSON");
        let expected = json!({"channel": "bench", "recover": true, "epoch": "qkTz", "offset": 0});
        assert_eq!(command["subscribe"], expected);
        let first: Value = serde_json::from_str(&subscribe("bench", None)).expect("JSON");
        assert_eq!(first["subscribe"], json!({"channel": "bench"}));
    }

    #[test]
    fn one_message_is_published_alone_and_several_as_a_batch() {
        let message = |n: u32| (Target::Topic(format!("bench.{n}")), format!("text {n}"));
        assert_eq!(publish(&[message(1)]).0, "/api/publish");
        let (path, body) = publish(&[message(1), message(2)]);
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(path, "/api/batch");
        assert_eq!(body["commands"][1]["publish"], json!({"channel": "bench.2", "data": "text 2"}));
    }

    #[test]
    fn it_keeps_history_only_where_the_case_says_so() {
        let with = |history| config(&Start { history, ..Start::default() }).expect("a config");
        assert_eq!(with(History::Memory(1000))["channel"]["without_namespace"]["history_size"], 1000);
        assert_eq!(with(History::Off)["channel"]["without_namespace"]["history_size"], Value::Null);
    }
}
