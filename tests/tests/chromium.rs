//! A tab of a real browser while the server is killed, the network is away, the tab is hidden and frozen, and its token
//! expires: it gets every message of a topic, of its user and of a role, in order and none twice; without a data directory
//! every loss has its gap.
#![cfg(unix)]

#[path = "kills/seen.rs"]
mod seen;
#[path = "kills/server.rs"]
mod server;

use std::{fs, time::Duration};

use realtime_tests::{Browser, Issuer, Relay, typescript_client};
use seen::{MESSAGES, Seen, assert_complete, assert_losses_have_gaps};
use serde_json::{Value, json};
use server::Server;
use tokio::time::{sleep, timeout};

/// Longest story. It takes a fraction of that.
const STORY: Duration = Duration::from_secs(180);

/// The browser's tab, and what it has reported.
struct Follower {
    browser: Browser,
    seen: Seen,
}

impl Follower {
    /// The page is one of the server, so that its origin is admitted; it loads nothing.
    async fn connect(test: &str, relay: &Relay) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = ["--format=iife", "--global-name=realtime"];
        let bundle = typescript_client(test, "src/index.ts", folder.path(), &options).await?;
        let mut browser = Browser::start(test).await?;
        browser.open(&format!("http://{}/healthz", relay.address())).await;
        let client = fs::read_to_string(bundle).expect("the client");
        browser.eval(&format!("{client}; globalThis.realtime = realtime; undefined")).await;
        browser.eval(include_str!("../foreign/page.js")).await;
        let url = format!("ws://{}/ws", relay.address());
        let options = json!({"url": url, "secret": Issuer::SECRET, "topic": "order:1", "user": "alice"});
        browser.eval(&format!("story({options}).ready.then(() => undefined)")).await;
        Some(Self { browser, seen: Seen::default() })
    }

    async fn read(&mut self) {
        let Value::Array(lines) = self.browser.eval("story.take()").await else { panic!("no lines") };
        lines.into_iter().for_each(|line| self.seen.take(line));
    }

    /// Reads until a condition holds.
    async fn until(&mut self, holds: impl Fn(&Seen) -> bool) {
        self.read().await;
        while !holds(&self.seen) {
            sleep(Duration::from_millis(20)).await;
            self.read().await;
        }
    }

    async fn connected(&mut self) {
        self.browser
            .until("story.client.state.phase === 'connected' && story.subscription.state.phase === 'live'")
            .await;
    }

    /// Another tab is in view, and the browser freezes this one.
    async fn hide_and_freeze(&mut self) {
        let tab = self.browser.tab();
        self.browser.new_tab().await;
        self.browser.switch_to(&tab);
        self.browser.until("document.visibilityState === 'hidden'").await;
        self.browser.freeze(true).await;
    }

    async fn thaw_and_show(&mut self) {
        self.browser.freeze(false).await;
        self.browser.bring_to_front().await;
        self.browser.until("document.visibilityState === 'visible'").await;
    }
}

/// Publishes, kills, disconnects and freezes; returns what the tab got when it has the last message of each stream.
async fn story(test: &str, durable: bool) -> Option<Seen> {
    let mut server = Server::start(durable).await;
    let relay = Relay::start(([127, 0, 0, 1], server.port).into()).await;
    let mut follower = Follower::connect(test, &relay).await?;
    let streams = [json!({"topic": "order:1"}), json!({"user": "alice"}), json!({"role": "admin"})];
    for n in 1..=MESSAGES {
        for to in &streams {
            server.publish(to, n).await;
        }
        match n {
            250 | 500 | 750 => server.killed().await,
            100 => relay.disconnect(),
            200 => relay.connect(),
            600 => {
                follower.hide_and_freeze().await;
                relay.disconnect();
            }
            700 => {
                relay.connect();
                follower.thaw_and_show().await;
            }
            800 => follower.until(|seen| seen.expired >= 2).await,
            // What a restart without a disk takes from a tab that is not connected yet would be the end of the streams.
            900 => follower.connected().await,
            _ => {}
        }
    }
    follower.until(|seen| seen.complete >= streams.len()).await;
    follower.browser.close().await;
    Some(follower.seen)
}

#[tokio::test]
async fn a_tab_loses_nothing_in_three_kills_two_cuts_a_freeze_and_two_expired_tokens() {
    let test = "a_tab_loses_nothing_in_three_kills_two_cuts_a_freeze_and_two_expired_tokens";
    let Some(seen) = timeout(STORY, story(test, true)).await.expect("a story in time") else { return };
    assert_complete(seen);
}

#[tokio::test]
async fn a_tab_has_a_gap_for_every_loss_without_a_data_directory() {
    let test = "a_tab_has_a_gap_for_every_loss_without_a_data_directory";
    let Some(seen) = timeout(STORY, story(test, false)).await.expect("a story in time") else { return };
    assert!(seen.odd.iter().any(|line| !line["gap"].is_null()), "three restarts without a disk lose something");
    assert_losses_have_gaps(seen);
}
