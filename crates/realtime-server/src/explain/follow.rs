//! `explain --follow`: prints the lines of a trace until it ends.

use std::{
    error::Error,
    fmt::Write as _,
    io::{self, ErrorKind, Write},
    time::Duration,
};

use realtime_schema::{TraceEvent, TraceEventKind};
use reqwest::Response;

/// How long the server may be silent. It writes a line every 15 seconds.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// Prints each line of the response. Ends after the last one, on Ctrl-C, and when standard output is closed.
pub(super) async fn follow(response: Response, as_json: bool) -> Result<(), Box<dyn Error>> {
    tokio::select! {
        followed = print_lines(response, as_json) => followed,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            if !as_json {
                println!("ended: interrupted");
            }
            Ok(())
        }
    }
}

async fn print_lines(mut response: Response, as_json: bool) -> Result<(), Box<dyn Error>> {
    let mut unread = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        unread.extend_from_slice(&chunk);
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<_> = unread.drain(..=end).collect();
            let event: TraceEvent = serde_json::from_slice(&line)?;
            let text = if as_json { String::from_utf8(line)? } else { text(&event) };
            match io::stdout().write_all(text.as_bytes()) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
            if event.event == TraceEventKind::Ended {
                return Ok(());
            }
        }
    }
    Err("the server closed the trace without its last line; it may have been killed, or a proxy has closed it".into())
}

/// An event for a person: a line, or nothing.
fn text(event: &TraceEvent) -> String {
    let TraceEvent { event: kind, at, .. } = event;
    if *kind == TraceEventKind::Alive {
        return String::new();
    }
    let mut text = format!("{at} {kind}");
    let _ = match kind {
        TraceEventKind::Started => started(&mut text, event),
        TraceEventKind::Published => published(&mut text, event),
        TraceEventKind::Ended => detail(&mut text, event),
        TraceEventKind::Skipped => write!(text, " {}: the reader is slow", event.skipped.unwrap_or_default()),
        _ => of_connection(&mut text, event),
    };
    text.push('\n');
    text
}

fn started(text: &mut String, event: &TraceEvent) -> std::fmt::Result {
    if let Some(user) = &event.user {
        write!(text, ": user {user}")?;
    }
    if let Some(topic) = &event.topic {
        write!(text, ": topic {topic}")?;
    }
    if let Some(until) = event.until {
        write!(text, ", until {until}")?;
    }
    Ok(())
}

fn published(text: &mut String, event: &TraceEvent) -> std::fmt::Result {
    if let Some(message) = event.message {
        write!(text, " {message}")?;
    }
    if let Some(kind) = &event.kind {
        write!(text, ": type {kind}")?;
    }
    if let Some(to) = &event.to {
        write!(text, ", to {}", serde_json::to_string(to).unwrap_or_default())?;
    }
    if let Some(client) = &event.except_client {
        write!(text, " without client {client}")?;
    }
    if let Some(position) = &event.position {
        write!(text, ", offset {}", position.offset)?;
    }
    write!(text, ", delivered {}", event.delivered.unwrap_or_default())?;
    if let Some(connections) = &event.connections {
        write!(text, ", for {} connections of the user", connections.len())?;
        for connection in connections {
            write!(text, " {connection}")?;
        }
    }
    Ok(())
}

fn of_connection(text: &mut String, event: &TraceEvent) -> std::fmt::Result {
    if let Some(connection) = event.connection {
        write!(text, ": connection {connection}")?;
    }
    if let Some(client) = &event.client {
        write!(text, " (client {client})")?;
    }
    if let Some(user) = &event.user {
        write!(text, " of {user}")?;
    }
    if let Some(roles) = event.roles.as_ref().filter(|roles| !roles.is_empty()) {
        let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
        write!(text, ", roles {}", roles.join(" "))?;
    }
    if let Some(topic) = &event.topic {
        write!(text, ", topic {topic}")?;
    }
    if let Some(origin) = event.origin {
        write!(text, ", by {}", serde_json::to_value(origin).unwrap_or_default().as_str().unwrap_or_default())?;
    }
    if let Some(stream) = &event.stream {
        write!(text, ", {} messages of {stream}", event.messages.unwrap_or_default())?;
    }
    if let Some(gap) = &event.gap {
        write!(text, ", {}", serde_json::to_string(gap).unwrap_or_default())?;
    }
    if let Some(code) = event.code {
        write!(text, ", code {code}")?;
    }
    if let Some(reason) = &event.reason {
        write!(text, ", {reason}")?;
    }
    detail(text, event)
}

fn detail(text: &mut String, event: &TraceEvent) -> std::fmt::Result {
    event.detail.as_ref().map_or(Ok(()), |detail| write!(text, ": {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: serde_json::Value) -> String {
        text(&serde_json::from_value(event).expect("an event"))
    }

    const AT: &str = "2026-11-23T13:00:00.123Z";
    const TAB: &str = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e";

    #[test]
    fn each_event_is_one_line_that_names_what_happened() {
        for (event, expected) in [
            (
                serde_json::json!({"event": "started", "at": AT, "topic": "order:1", "until": AT}),
                format!("{AT} started: topic order:1, until {AT}\n"),
            ),
            (
                serde_json::json!({
                    "event": "published", "at": AT, "message": TAB, "type": "a", "to": {"topic": "order:1"},
                    "delivered": 2, "position": {"epoch": "e", "offset": 7}, "connections": [TAB]
                }),
                format!(
                    "{AT} published {TAB}: type a, to {{\"topic\":\"order:1\"}}, offset 7, delivered 2, \
                     for 1 connections of the user {TAB}\n"
                ),
            ),
            (
                serde_json::json!({
                    "event": "closed", "at": AT, "connection": TAB, "client": "tab", "user": "alice", "code": 4508,
                    "reason": "server", "detail": "too slow"
                }),
                format!("{AT} closed: connection {TAB} (client tab) of alice, code 4508, server: too slow\n"),
            ),
            (
                serde_json::json!({
                    "event": "subscribed", "at": AT, "connection": TAB, "user": "alice", "topic": "a", "origin": "client"
                }),
                format!("{AT} subscribed: connection {TAB} of alice, topic a, by client\n"),
            ),
            (
                serde_json::json!({"event": "skipped", "at": AT, "skipped": 3}),
                format!("{AT} skipped 3: the reader is slow\n"),
            ),
            (
                serde_json::json!({"event": "ended", "at": AT, "reason": "time", "detail": "the time has passed"}),
                format!("{AT} ended: the time has passed\n"),
            ),
            (serde_json::json!({"event": "alive", "at": AT}), String::new()),
            (serde_json::json!({"event": "of-later", "at": AT}), format!("{AT} of-later\n")),
        ] {
            assert_eq!(line(event.clone()), expected, "{event}");
        }
    }
}
