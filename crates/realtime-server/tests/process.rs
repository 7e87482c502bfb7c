//! The server as a process: what it prints, what it logs, and how it ends.
#![cfg(unix)]

use std::{process::Stdio, time::Duration};

use futures_util::StreamExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

const DEADLINE: Duration = Duration::from_secs(15);

/// Starts `serve --dev` on a free port and reads the lines to paste.
async fn start(args: &[&str]) -> (Child, BufReader<ChildStdout>, Lines) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    command.args(["serve", "--dev", "--listen", "127.0.0.1:0"]).args(args).env_clear();
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the binary starts");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let lines = timeout(DEADLINE, Lines::read(&mut out)).await.expect("its greeting in time");
    (child, out, lines)
}

/// The lines to paste.
struct Lines {
    page: String,
    connect: String,
    publish: String,
}

impl Lines {
    async fn read(out: &mut BufReader<ChildStdout>) -> Self {
        let (mut page, mut connect, mut publish) = Default::default();
        let mut line = String::new();
        while publish == String::new() && out.read_line(&mut line).await.expect("its output") > 0 {
            for (name, place) in [("page", &mut page), ("connect", &mut connect), ("publish", &mut publish)] {
                if let Some(rest) = line.strip_prefix(name) {
                    *place = rest.trim().to_owned();
                }
            }
            line.clear();
        }
        Self { page, connect, publish }
    }
}

/// Sends SIGTERM to the one process that this test started.
async fn terminate(child: &Child) {
    let pid = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill runs");
    assert!(sent.success());
}

#[tokio::test]
async fn the_printed_lines_work_when_pasted_and_a_signal_ends_it_well() {
    let (mut child, _out, lines) = start(&["--log-level", "trace"]).await;
    let page = reqwest::get(&lines.page).await.expect("the page").text().await.expect("its text");
    assert!(page.contains("<title>Realtime"));

    let (mut socket, _) = connect_async(&lines.connect).await.expect("the address with its token");
    let welcome = socket.next().await.expect("a frame").expect("no error").into_text().expect("text");
    assert!(welcome.starts_with(r#"{"type":"welcome""#), "{welcome}");

    let shell = Command::new("sh").args(["-c", &format!("{} --silent --max-time 10", lines.publish)]).output().await;
    let receipt = String::from_utf8_lossy(&shell.expect("a shell").stdout).into_owned();
    assert!(receipt.contains(r#""delivered":1"#), "{receipt}");
    let greeting = socket.next().await.expect("a frame").expect("no error").into_text().expect("text");
    assert!(greeting.contains(r#""payload":{"text":"hello"}"#), "{greeting}");

    terminate(&child).await;
    let closing = socket.next().await.expect("a frame").expect("no error").into_text().expect("text");
    assert!(closing.contains(r#""code":4503"#), "{closing}");
    let Some(Ok(Message::Close(Some(close)))) = socket.next().await else { panic!("not closed") };
    assert_eq!(u16::from(close.code), 4503);
    while socket.next().await.is_some() {}

    let mut log = String::new();
    let mut stderr = child.stderr.take().expect("its log");
    let ended = timeout(DEADLINE, async {
        stderr.read_to_string(&mut log).await.expect("its log");
        child.wait().await.expect("its end")
    });
    assert_eq!(ended.await.expect("an end in time").code(), Some(0), "{log}");
    assert!(log.contains("serving") && log.contains("stopped"), "{log}");
    let token = lines.connect.split_once("token=").expect("a token").1;
    for part in token.split('.') {
        assert!(!log.contains(part), "even at `trace` the log holds no part of a token");
    }
}

#[tokio::test]
async fn logs_are_json_when_asked_for() {
    let (mut child, _out, lines) = start(&["--log-format", "json", "--log-level", "debug"]).await;
    let (socket, _) = connect_async(&lines.connect).await.expect("admitted");
    drop(socket);
    terminate(&child).await;
    let mut log = String::new();
    child.stderr.take().expect("its log").read_to_string(&mut log).await.expect("its log");
    assert!(timeout(DEADLINE, child.wait()).await.expect("an end in time").expect("its end").success());
    assert!(log.lines().count() >= 3, "{log}");
    for line in log.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line} is not JSON"));
        assert!(entry["level"].is_string() && entry["message"].is_string() && entry["timestamp"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_what_to_do() {
    let (_child, _out, lines) = start(&[]).await;
    let taken = lines.page.trim_start_matches("http://").trim_end_matches('/');
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    command.args(["serve", "--dev", "--listen", taken]).env_clear().kill_on_drop(true);
    let second = timeout(DEADLINE, command.output()).await.expect("an end in time").expect("it runs");
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(taken) && said.contains("server.listen"), "{said}");
}
