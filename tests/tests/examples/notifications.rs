//! A user who was offline gets what it missed, once: from the server's history, or from the database of the backend.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use realtime_tests::{Browser, skip};
use serde_json::json;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    process::Command,
    task::JoinHandle,
};

use crate::example::{Example, fits_a_phone, node, pictures, root};

/// The way from a page to the server, which a test cuts.
struct Line {
    listens: SocketAddr,
    server: SocketAddr,
    connections: Option<JoinHandle<()>>,
}

impl Line {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let listens = listener.local_addr().expect("its port");
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        Self { listens, server, connections: Some(tokio::spawn(Self::carry(listener, server))) }
    }

    async fn carry(listener: TcpListener, server: SocketAddr) {
        // When the task ends, so do all connections.
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((mut page, _)) = listener.accept().await {
            connections.spawn(async move {
                let mut server = TcpStream::connect(server).await.expect("the server listens");
                drop(copy_bidirectional(&mut page, &mut server).await);
            });
        }
    }

    async fn cut(&mut self) {
        let connections = self.connections.take().expect("it is not cut");
        connections.abort();
        drop(connections.await);
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(self.listens).await.expect("the same port");
        self.connections = Some(tokio::spawn(Self::carry(listener, self.server)));
    }
}

/// Python with the packages of the example.
fn python(test: &str) -> Option<PathBuf> {
    let python = root().join("target/ci/venv/bin/python");
    let imports = std::process::Command::new(&python).args(["-c", "import django, jwt, h11"]).output();
    if imports.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skip(
        test,
        "its packages are not installed; run `python3 -m venv target/ci/venv` and `target/ci/venv/bin/pip install -r examples/notifications/requirements.txt`",
    );
    None
}

fn manage(example: &Example, python: &Path, port: u16) -> Command {
    let mut command = example.command(python, "manage.py");
    command
        .env("PYTHONPATH", root().join("clients/python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUNBUFFERED", "1")
        .env("REALTIME_URL", format!("ws://127.0.0.1:{port}/ws"));
    command
}

async fn sign_in(page: &mut Browser, example: &Example, user: &str, password: &str) {
    page.open(&example.url("/")).await;
    page.fill("username", user).await;
    page.fill("password", password).await;
    page.eval("document.getElementById('username').form.requestSubmit()").await;
    page.until("document.getElementById('state')?.dataset.phase === 'connected'").await;
}

async fn send(page: &mut Browser, to: &str, text: &str) {
    page.fill("to", to).await;
    page.fill("text", text).await;
    page.eval("(window.left = false, document.getElementById('text').form.requestSubmit())").await;
    page.until("window.left === undefined && document.readyState === 'complete'").await;
}

async fn until_list(page: &mut Browser, texts: &[&str], unread: usize) {
    let list = "JSON.stringify([...document.querySelectorAll('#list span')].map((one) => one.textContent))";
    page.until(&format!("{list} === {}", json!(json!(texts).to_string()))).await;
    page.until(&format!("document.querySelectorAll('#list [data-new]').length === {unread}")).await;
    let badge = format!("{unread} unread");
    page.until(&format!("document.getElementById('unread').hidden === {}", unread == 0)).await;
    assert!(unread == 0 || page.text("unread").await == badge);
}

#[tokio::test]
async fn a_user_who_was_offline_gets_its_notifications_once() {
    let test = "a_user_who_was_offline_gets_its_notifications_once";
    let Some(_built) = node(test).await else { return };
    let Some(python) = python(test) else { return };
    let Some(mut alice) = Browser::start(test).await else { return };
    let Some(mut bob) = Browser::start(test).await else { return };
    let mut example = Example::start("notifications").await;
    let mut line = Line::to(example.port).await;
    let demo = manage(&example, &python, line.listens.port()).arg("demo").output().await.expect("it starts");
    let demo = String::from_utf8(demo.stdout).expect("a text");
    let password = demo.trim().rsplit(' ').next().expect("a password").to_owned();
    let mut django = manage(&example, &python, line.listens.port());
    django.args(["runserver", "--noreload", &example.page.to_string()]).stderr(Stdio::null());
    example.run(django, "http://").await;
    sign_in(&mut bob, &example, "bob", &password).await;
    sign_in(&mut alice, &example, "alice", &password).await;

    send(&mut alice, "bob", "<i>one</i>").await;
    until_list(&mut bob, &["<i>one</i>"], 1).await;
    assert_eq!(bob.text("news").await, "New notification: <i>one</i>");

    // Offline, and back: the server's history has what came meanwhile.
    bob.eval("performance.clearResourceTimings()").await;
    line.cut().await;
    bob.until("document.getElementById('state').dataset.phase === 'waiting'").await;
    for text in ["two", "three"] {
        send(&mut alice, "bob", text).await;
    }
    pictures(&mut bob, "notifications-away").await;
    line.mend().await;
    until_list(&mut bob, &["three", "two", "<i>one</i>"], 3).await;
    let asked = "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/notifications')).length";
    assert_eq!(bob.eval(asked).await, 0, "the database was asked");

    // The server is killed, and is started again: what it had is not sent twice.
    bob.until("document.getElementById('state').dataset.phase === 'connected'").await;
    example.kill().await;
    bob.until("document.getElementById('state').dataset.phase === 'waiting'").await;
    example.restart().await;
    send(&mut alice, "bob", "four").await;
    until_list(&mut bob, &["four", "three", "two", "<i>one</i>"], 4).await;
    pictures(&mut bob, "notifications").await;

    // Read on one page is read on the other; a page that is opened later has everything.
    let mut second = Browser::start(test).await.expect("a browser");
    sign_in(&mut second, &example, "bob", &password).await;
    until_list(&mut second, &["four", "three", "two", "<i>one</i>"], 4).await;
    second.eval("document.querySelector('#list button').click()").await;
    until_list(&mut bob, &["four", "three", "two", "<i>one</i>"], 3).await;
    bob.click("read-all").await;
    until_list(&mut second, &["four", "three", "two", "<i>one</i>"], 0).await;
    until_list(&mut alice, &[], 0).await;
    fits_a_phone(&mut bob).await;

    // Without the server's data there is a gap, and the database has everything.
    example.kill().await;
    example.restart_empty().await;
    send(&mut alice, "bob", "five").await;
    until_list(&mut bob, &["five", "four", "three", "two", "<i>one</i>"], 1).await;
    let errors: Vec<_> = bob.errors().iter().filter(|error| !error.contains("WebSocket")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for page in [alice, bob, second] {
        page.close().await;
    }
}
