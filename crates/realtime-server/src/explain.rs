//! The command `explain`: asks a running server over its HTTP API.

mod follow;

use std::{error::Error, fmt::Write as _, time::Duration};

use clap::Args;
use realtime_schema::{ExplainRequest, Explanation, MessageId, Problem, Role, Route, Topic, TraceRequest, UserId};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

/// How long the server may take to respond.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the server is, and what to ask.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The user whose connections are looked at.
    #[arg(long, value_name = "ID", required_unless_present = "topic")]
    user: Option<UserId>,
    /// The id of a recent message, from its receipt or its frame.
    #[arg(long, value_name = "ID", conflicts_with = "to", required_unless_present_any = ["to", "follow"])]
    message: Option<MessageId>,
    /// Print what happens to the user or on the topic, from now on: a line for each message, without its payload, and for
    /// each change of a connection or a subscription. Ends by itself, and on Ctrl-C.
    #[arg(long, conflicts_with_all = ["message", "to"])]
    follow: bool,
    /// With --follow: the topic, instead of a user.
    #[arg(long, requires = "follow", conflicts_with_all = ["user", "message", "to"])]
    topic: Option<Topic>,
    /// With --follow: after how many seconds to end, at most limits.trace_time of the server. 60 if not given.
    #[arg(
        long, value_name = "N", requires = "follow", conflicts_with_all = ["message", "to"],
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    seconds: Option<u32>,
    /// The recipients of a message that would be published now: all, user:ID, role:R, topic:T or connection:ID.
    #[arg(long, value_name = "ROUTE", value_parser = route)]
    to: Option<Route>,
    /// The server, with its path if it has one.
    #[arg(long, value_name = "URL", env = "REALTIME_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The API key. Better in REALTIME_API_KEY than on the command line, which other users of the machine can see.
    #[arg(long, value_name = "KEY", env = "REALTIME_API_KEY", hide_env_values = true)]
    key: SecretString,
    /// Print the server's response as JSON. With --follow: one object a line.
    #[arg(long)]
    json: bool,
}

/// Reads `all`, `user:ID`, `role:R`, `topic:T` or `connection:ID`.
fn route(text: &str) -> Result<Route, String> {
    let unknown = || format!("`{text}` is not all, user:ID, role:R, topic:T or connection:ID");
    match text.split_once(':') {
        None if text == "all" => Ok(Route::All),
        None => Err(unknown()),
        Some(("user", id)) => UserId::new(id).map(Route::User).map_err(|error| error.to_string()),
        Some(("role", role)) => Role::new(role).map(Route::Role).map_err(|error| error.to_string()),
        Some(("topic", topic)) => Topic::new(topic).map(Route::Topic).map_err(|error| error.to_string()),
        Some(("connection", id)) => id.parse().map(Route::Connection).map_err(|_| format!("`{id}` is not a UUID")),
        Some(_) => Err(unknown()),
    }
}

impl Explain {
    /// Asks the server and prints its answer.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let as_json = self.json;
        if self.follow {
            return runtime.block_on(self.follow());
        }
        let explanation = runtime.block_on(self.ask())?;
        if as_json {
            println!("{}", serde_json::to_string_pretty(&explanation)?);
        } else {
            print!("{}", text(&explanation));
        }
        Ok(())
    }

    async fn ask(self) -> Result<Explanation, Box<dyn Error>> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let Some(user) = &self.user else { return Err("--user is missing".into()) };
        let (user, to) = (user.clone(), self.to.clone().map(Into::into));
        let request = ExplainRequest { user, message: self.message, to, except_client: None };
        let response = self.post(&client, "explain", &request).await?;
        Ok(serde_json::from_slice(&response.bytes().await?)?)
    }

    async fn follow(self) -> Result<(), Box<dyn Error>> {
        // Not for the whole response, which lasts as long as the trace.
        let client = reqwest::Client::builder().connect_timeout(TIMEOUT).read_timeout(follow::SILENCE).build()?;
        let request = TraceRequest {
            user: self.user.clone(),
            topic: self.topic.clone(),
            seconds: self.seconds,
            ..TraceRequest::default()
        };
        let response = tokio::time::timeout(TIMEOUT, self.post(&client, "trace", &request)).await??;
        follow::follow(response, self.json).await
    }

    /// The response of the server to a request that it accepted.
    async fn post(
        &self,
        client: &reqwest::Client,
        path: &str,
        request: &impl Serialize,
    ) -> Result<Response, Box<dyn Error>> {
        let url = format!("{}/api/v1/{path}", self.url.trim_end_matches('/'));
        let response = client.post(&url).bearer_auth(self.key.expose_secret()).json(request).send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(refusal(&url, status, &response.bytes().await?).into())
    }
}

/// What a refusal of the server says.
fn refusal(url: &str, status: StatusCode, body: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => format!("{url}: {}", problem.detail),
        Err(_) => format!("{url}: the response is {status}; is this the address of the server?"),
    }
}

/// The answer for a person: one line for the message, one for the user, and one for each connection.
fn text(explanation: &Explanation) -> String {
    let mut text = String::new();
    let to = serde_json::to_string(&explanation.to).unwrap_or_default();
    let _ = match &explanation.message {
        Some(message) => writeln!(
            text,
            "message {} to {to}, published at {}, taken by {} connections",
            message.id, message.published_at, message.delivered
        ),
        None => writeln!(text, "a message to {to}, published now"),
    };
    let _ = writeln!(text, "{}: {}", if explanation.matched { "matched" } else { "not matched" }, explanation.detail);
    for connection in &explanation.connections {
        let client = connection.client.as_ref().map(|client| format!(" (client {client})")).unwrap_or_default();
        let _ = writeln!(
            text,
            "connection {}{client}: {}: {}",
            connection.connection,
            connection.reason.as_str(),
            connection.detail
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_written_as_its_kind_and_its_name() {
        assert_eq!(route("all"), Ok(Route::All));
        assert_eq!(route("user:alice"), Ok(Route::User(UserId::new("alice").expect("a user"))));
        assert_eq!(route("topic:order:1"), Ok(Route::Topic(Topic::new("order:1").expect("a topic"))));
        assert_eq!(route("role:admin"), Ok(Route::Role(Role::new("admin").expect("a role"))));
        for wrong in ["alice", "group:x", "topic:", "connection:7", ""] {
            assert!(route(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_text_has_a_line_for_each_connection() {
        let example = serde_json::json!({
            "user": "alice", "to": {"topic": "order:1"}, "matched": false, "detail": "no",
            "connections": [{
                "connection": "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e", "client": "tab", "matched": false,
                "reason": "not_subscribed", "detail": "not subscribed.", "topics": []
            }]
        });
        let text = text(&serde_json::from_value(example).expect("an explanation"));
        assert_eq!(
            text,
            "a message to {\"topic\":\"order:1\"}, published now\nnot matched: no\n\
             connection 019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e (client tab): not_subscribed: not subscribed.\n"
        );
    }
}
