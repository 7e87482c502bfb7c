//! What each server's clients and publishers send, and the positions that its responses contain.

use serde_json::{Value, json};

use super::{Server, centrifugo, nats, realtime};
use crate::wire::{Client, Target};

impl Server {
    /// The path that a subscriber requests.
    pub(crate) fn path(self, client: &Client) -> String {
        let topic = || client.topics.first().map(String::as_str);
        match self {
            Self::Realtime => realtime::path(&client.token, client.ticket.as_deref()),
            Self::Centrifugo => "/connection/websocket".to_owned(),
            Self::Nchan => {
                let topics = if client.topics.is_empty() { "none".to_owned() } else { client.topics.join(",") };
                format!("/{}/{topics}", if client.since.is_empty() { "sub" } else { "replay" })
            }
            Self::SocketIo | Self::SocketIoRedis => "/socket.io/?EIO=4&transport=websocket".to_owned(),
            Self::Ws => format!("/{}", topic().unwrap_or_default()),
            Self::Floor | Self::FloorLong | Self::Handwritten | Self::Nats | Self::JetStream => "/".to_owned(),
        }
    }

    /// What a subscriber sends after the handshake, one by one, each with what the response contains. Without one the
    /// response is not awaited: what a client missed comes before it.
    pub(crate) fn greetings(self, client: &Client) -> Vec<(String, Option<&'static str>)> {
        let since = |n: usize| client.since.get(n).map(String::as_str);
        let first = client.since.is_empty();
        let topics = client.topics.iter().enumerate();
        match self {
            Self::Realtime if client.ticket.is_some() => vec![(realtime::resume(client), None)],
            Self::Realtime => topics
                .map(|(n, topic)| (realtime::subscribe(n + 1, topic, since(n)), first.then_some(realtime::ACK)))
                .collect(),
            Self::Centrifugo => {
                let subscribe = |(n, topic): (usize, &String)| {
                    (centrifugo::subscribe(topic, since(n)), first.then_some(centrifugo::SUBSCRIBED))
                };
                let connect = (centrifugo::connect(&client.token), Some("\"connect\":"));
                std::iter::once(connect).chain(topics.map(subscribe)).collect()
            }
            Self::Nats => {
                let subscribe: String = topics.map(|(n, topic)| format!("SUB {topic} {}\r\n", n + 1)).collect();
                vec![(format!("{NATS_HELLO}{subscribe}PING\r\n"), Some("PONG"))]
            }
            Self::JetStream => {
                let consume =
                    |(_, topic): (usize, &String)| (nats::consume(topic, !first), first.then_some(nats::CREATED));
                std::iter::once((format!("{NATS_HELLO}PING\r\n"), Some("PONG"))).chain(topics.map(consume)).collect()
            }
            Self::SocketIo => vec![("40".to_owned(), Some("40{"))],
            Self::SocketIoRedis => vec![(format!("40{}", since(0).unwrap_or_default()), Some("40{"))],
            Self::Floor | Self::FloorLong | Self::Handwritten | Self::Nchan | Self::Ws => Vec::new(),
        }
    }

    /// Whether a client can come back only to a session of its own, and knows where it is only by a message.
    pub(crate) fn has_sessions(self) -> bool {
        self == Self::SocketIoRedis
    }

    /// Where a client of so many topics is, after it has received this: what [`Client::since`] is to be.
    pub(crate) fn positions(self, received: &[u8], topics: usize) -> Vec<String> {
        let text = String::from_utf8_lossy(received);
        match self {
            Self::Realtime => values(&text, "\"position\":").map(|position| position.to_string()).collect(),
            Self::Centrifugo => {
                values(&text, centrifugo::SUBSCRIBED).map(|subscribed| centrifugo::position(&subscribed)).collect()
            }
            Self::SocketIoRedis => {
                // The session's id, and the offset that is the last part of an event.
                let session = values(&text, "40").next().map(|session| session["pid"].clone());
                let offset = values(&text, "42").next().and_then(|event| event.as_array()?.last().cloned());
                session
                    .zip(offset)
                    .map(|(pid, offset)| json!({"pid": pid, "offset": offset}).to_string())
                    .into_iter()
                    .collect()
            }
            // They replay what they keep, from its beginning.
            _ => vec!["start".to_owned(); topics],
        }
    }

    /// The ticket with which a client that has received this may come back, where the server gives one.
    pub(crate) fn ticket(self, received: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(received);
        let (_, rest) = text.split_once("\"resume\":\"").filter(|_| self == Self::Realtime)?;
        rest.split_once('"').map(|(ticket, _)| ticket.to_owned())
    }

    /// What a publisher sends first.
    pub(crate) fn publisher_hello(self) -> &'static str {
        match self {
            Self::Nats => NATS_HELLO,
            // The subject of the acks.
            Self::JetStream => "CONNECT {\"verbose\":false}\r\nSUB ack 1\r\n",
            _ => "",
        }
    }

    /// What publishes all of `messages` at once, in the way that the server has for that.
    pub(crate) fn publications(self, messages: &[(Target, String)]) -> String {
        match self {
            Self::Realtime if messages.len() > 1 => {
                post("/api/v1/publish/batch", realtime::KEY_HEADER, &realtime::batch(messages))
            }
            Self::Centrifugo => {
                let (path, body) = centrifugo::publish(messages);
                post(path, centrifugo::KEY_HEADER, &body)
            }
            _ => messages.iter().map(|(target, text)| self.publication(target, text)).collect(),
        }
    }

    /// A publication of `text` as the server takes it.
    fn publication(self, target: &Target, text: &str) -> String {
        let ours = || post("/api/v1/publish", realtime::KEY_HEADER, &realtime::body(target, text));
        let Target::Topic(topic) = target else { return ours() };
        match self {
            Self::Realtime | Self::Centrifugo => ours(),
            Self::Nchan => post(&format!("/pub/{topic}"), "", text),
            Self::Ws | Self::SocketIo | Self::SocketIoRedis => post(&format!("/{topic}"), "", text),
            Self::Nats => nats::publication(topic, text),
            Self::JetStream => nats::publication(&format!("{topic} ack"), text),
            Self::Floor | Self::FloorLong | Self::Handwritten => {
                let to = topic.strip_prefix("bench.").unwrap_or("*");
                match self {
                    Self::FloorLong => format!("{to} {text:x<0$}\n", text.len() + realtime::ENVELOPE),
                    _ => format!("{to} {text}\n"),
                }
            }
        }
    }
}

const NATS_HELLO: &str = "CONNECT {\"verbose\":false}\r\n";

pub(super) fn post(path: &str, head: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: bench\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The JSON objects and arrays that directly follow `key` in `text`.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = Value> + 'a {
    text.match_indices(key).filter_map(move |(at, _)| {
        let rest = &text[at + key.len()..];
        let value = serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok()?;
        (value.is_object() || value.is_array()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_found_in_the_response_of_each_protocol() {
        let ack = |epoch: &str| {
            format!(
                "\u{81}~{{\"type\":\"ack\",\"payload\":{{\"id\":1,\"position\":{{\"epoch\":\"{epoch}\",\"offset\":7}}}}}}"
            )
        };
        let realtime = ack("a") + &ack("b");
        let expected = [r#"{"epoch":"a","offset":7}"#, r#"{"epoch":"b","offset":7}"#];
        assert_eq!(Server::Realtime.positions(realtime.as_bytes(), 2), expected);

        let centrifugo = br#"{"id":1,"connect":{"client":"x"}}{"id":2,"subscribe":{"recoverable":true,"epoch":"qk"}}"#;
        assert_eq!(Server::Centrifugo.positions(centrifugo, 1), [r#"{"epoch":"qk","offset":0}"#]);

        let socket_io = br#"0{"sid":"40"}40{"sid":"s","pid":"p"}42["bench","here","1795-0"]"#;
        assert_eq!(Server::SocketIoRedis.positions(socket_io, 1), [r#"{"offset":"1795-0","pid":"p"}"#]);
        assert_eq!(Server::Nchan.positions(b"", 2).len(), 2);
    }

    #[test]
    fn a_client_that_comes_back_does_not_wait_for_the_response_that_follows_what_it_missed() {
        let position = r#"{"epoch":"a","offset":7}"#.to_owned();
        let client = Client { topics: vec!["bench".into()], since: vec![position], ..Client::default() };
        let expected = r#"{"action":"subscribe","id":1,"topic":"bench","since":{"epoch":"a","offset":7}}"#;
        assert_eq!(Server::Realtime.greetings(&client), [(expected.to_owned(), None)]);
        assert!(Server::Nchan.path(&client).starts_with("/replay/"));

        let welcome = br#"{"type":"welcome","payload":{"resumed":false,"resume":"a.b-c_d","hold_ms":10000}}"#;
        let client = Client { ticket: Server::Realtime.ticket(welcome), ..client };
        let expected = r#"{"action":"resume","id":1,"since":{"topic:bench":{"epoch":"a","offset":7}}}"#;
        assert_eq!(Server::Realtime.greetings(&client), [(expected.to_owned(), None)]);
        assert_eq!(Server::Realtime.path(&client), "/ws?token=&resume=a.b-c_d");
    }
}
