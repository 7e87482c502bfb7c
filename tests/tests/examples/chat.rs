//! Two users chat, in the page without a framework and in the one with React.

use std::fs;

use realtime_tests::{Browser, Client, skip};
use serde_json::json;
use tokio::process::Command;

use crate::example::{Example, fits_a_phone, node, pictures, root, succeed};

/// A script that lists the texts of the elements of a selector.
fn texts(selector: &str) -> String {
    format!("JSON.stringify([...document.querySelectorAll('{selector}')].map((one) => one.textContent))")
}

/// Waits until the elements of a selector have these texts.
async fn until_texts(page: &mut Browser, selector: &str, expected: &[&str]) {
    page.until(&format!("{} === {}", texts(selector), json!(json!(expected).to_string()))).await;
}

const CONNECTED: &str = "document.getElementById('state').dataset.phase === 'connected'";

async fn sign_in(page: &mut Browser, example: &Example, name: &str) {
    page.open(&example.url("/")).await;
    page.until("!!document.getElementById('name')?.offsetHeight").await;
    page.fill("name", name).await;
    page.eval("document.getElementById('name').form.requestSubmit()").await;
    page.until(&format!("!!document.getElementById('state') && {CONNECTED}")).await;
}

async fn send(page: &mut Browser, text: &str) {
    page.fill("text", text).await;
    page.eval("document.getElementById('text').form.requestSubmit()").await;
}

/// What both chats do. `None`: this machine has no browser.
async fn two_users_chat(test: &str, mut example: Example) -> Option<()> {
    let [mut alice, mut bob] = [Browser::start(test).await?, Browser::start(test).await?];
    sign_in(&mut alice, &example, "alice").await;
    sign_in(&mut bob, &example, "bob").await;

    // Presence, typing, a message.
    until_texts(&mut alice, "#here li", &["alice", "bob"]).await;
    alice.fill("text", "<b>hel").await;
    bob.until("document.getElementById('typing').textContent === 'alice is typing…'").await;
    send(&mut alice, "<b>hello</b>").await;
    for page in [&mut alice, &mut bob] {
        until_texts(page, "#messages p", &["<b>hello</b>"]).await;
    }
    bob.until("document.getElementById('typing').textContent === ''").await;

    // The server is killed: messages wait, and are sent once.
    example.kill().await;
    for page in [&mut alice, &mut bob] {
        page.until("document.getElementById('state').dataset.phase === 'waiting'").await;
    }
    send(&mut alice, "one").await;
    send(&mut alice, "two").await;
    until_texts(&mut alice, "#outbox p", &["one", "two"]).await;
    pictures(&mut alice, &format!("{test}-away")).await;
    example.restart().await;
    for page in [&mut alice, &mut bob] {
        until_texts(page, "#messages p", &["<b>hello</b>", "one", "two"]).await;
    }
    until_texts(&mut alice, "#outbox p", &[]).await;

    // Another room is another history.
    bob.eval("[...document.querySelectorAll('#rooms button')].at(-1).click()").await;
    until_texts(&mut bob, "#messages p", &[]).await;
    until_texts(&mut bob, "#here li", &["bob"]).await;
    until_texts(&mut alice, "#here li", &["alice"]).await;
    // There and back at once is the same.
    for room in [0, 1, 0, 2, 0] {
        bob.eval(&format!("document.querySelectorAll('#rooms button')[{room}].click()")).await;
    }
    until_texts(&mut bob, "#messages p", &["<b>hello</b>", "one", "two"]).await;
    for page in [&mut alice, &mut bob] {
        until_texts(page, "#here li", &["alice", "bob"]).await;
    }
    pictures(&mut bob, &format!("{test}-room")).await;

    // A user can't write in the name of another.
    let token = bob.eval("fetch('/token').then((response) => response.json()).then(({ token }) => token)").await;
    let path = format!("/ws?token={}", token.as_str().expect("a token"));
    let mut bobs = Client::connect(([127, 0, 0, 1], example.port).into(), &path, &[]).await.expect("admitted");
    let forged = json!({"action": "publish", "topic": "room:general", "type": "said", "payload": {"from": "alice", "text": "x"}});
    assert_eq!(bobs.command(forged).await["code"], "forbidden");
    bobs.close().await;

    // The server loses its data: the pages say so, and the chat goes on.
    example.kill().await;
    example.restart_empty().await;
    for page in [&mut alice, &mut bob] {
        page.until("document.querySelectorAll('#messages .note').length === 1").await;
        page.until(CONNECTED).await;
    }
    send(&mut bob, "still here").await;
    for page in [&mut alice, &mut bob] {
        until_texts(page, "#messages p", &["still here"]).await;
        until_texts(page, "#here li", &["alice", "bob"]).await;
        fits_a_phone(page).await;
    }

    // A page that is loaded again has the history; a user who leaves is gone.
    alice.open(&example.url("/")).await;
    until_texts(&mut alice, "#messages p", &["still here"]).await;
    bob.close().await;
    until_texts(&mut alice, "#here li", &["alice"]).await;
    // What a browser says of a server that is away.
    let errors: Vec<_> = alice.errors().iter().filter(|error| !error.contains("WebSocket")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    alice.close().await;
    Some(())
}

#[tokio::test]
async fn two_users_chat_on_a_page_without_a_framework() {
    let test = "two_users_chat_on_a_page_without_a_framework";
    let Some(node) = node(test).await else { return };
    let mut example = Example::start("chat-plain").await;
    let backend = example.command(&node, "backend.mjs");
    example.run(backend, "http://localhost").await;
    two_users_chat(test, example).await;
}

#[tokio::test]
async fn two_users_chat_on_a_page_with_react() {
    let test = "two_users_chat_on_a_page_with_react";
    let Some(node) = node(test).await else { return };
    let source = root().join("examples/chat-react");
    if !source.join("node_modules/vite").is_dir() {
        return skip(
            test,
            "its packages are not installed; run `npm ci --prefix examples/chat-react --ignore-scripts`",
        );
    }
    let mut example = Example::start("chat-react").await;
    // What `npm run build` runs, with a folder of its own for the page.
    let dist = example.folder.path().join("dist");
    succeed(Command::new(&node).arg("node_modules/typescript/bin/tsc").current_dir(&source)).await;
    let vite = ["node_modules/vite/bin/vite.js", "build", "--logLevel", "error", "--outDir"];
    succeed(Command::new(&node).args(vite).arg(&dist).current_dir(&source)).await;
    let mut backend = example.command(&node, "backend.mjs");
    backend.env("PAGES", &dist);
    example.run(backend, "http://localhost").await;
    two_users_chat(test, example).await;
}

#[tokio::test]
async fn the_types_of_the_chat_are_those_of_its_schemas() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = root().join("examples/chat-react");
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server-under-test"));
    command.env_clear().args(["schemas", "--config"]).arg(source.join("realtime.toml")).arg("--out").arg(folder.path());
    succeed(&mut command).await;
    let generated = fs::read_to_string(folder.path().join("topics.ts")).expect("the types");
    let committed = fs::read_to_string(source.join("src/topics.ts")).expect("the types");
    assert_eq!(generated, committed, "run the command `schemas` of examples/chat-react/README.md again");
}

#[test]
fn both_chats_have_one_backend_and_one_server() {
    let text = |path: &str| fs::read_to_string(root().join("examples").join(path)).expect("a file");
    for name in ["backend.mjs", "realtime.toml", "schemas/said.json", "schemas/typing.json"] {
        assert_eq!(text(&format!("chat-plain/{name}")), text(&format!("chat-react/{name}")), "{name}");
    }
    assert_eq!(text("chat-plain/public/chat.css"), text("chat-react/src/chat.css"));
}
