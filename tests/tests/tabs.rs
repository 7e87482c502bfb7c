//! Tabs of a real browser that share one socket: the tab that has it is closed, and the next one crashes.
#![cfg(unix)]

#[path = "kills/server.rs"]
mod server;
#[path = "tabs/site.rs"]
mod site;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use realtime_tests::{Browser, Tab};
use serde_json::{Value, json};
use server::{API_KEY, Server};
use site::Site;
use tokio::time::sleep;

/// Longest time until another tab has the lock, and so makes the connection.
const HAND_OVER: Duration = Duration::from_secs(2);
const CONNECTED: &str = "rt.state.phase === 'connected'";

/// What a tab received of each stream: the numbers, with `None` for a gap.
type Seen = BTreeMap<String, Vec<Option<u64>>>;

async fn publish(server: &Server, n: u64) {
    let [topic, user, role] = [json!({"topic": "order:1"}), json!({"user": "alice"}), json!({"role": "admin"})];
    tokio::join!(server.publish(&topic, n), server.publish(&user, n), server.publish(&role, n));
}

async fn seen(page: &mut Browser) -> Seen {
    serde_json::from_value(page.eval("tab.seen").await).expect("numbers by stream")
}

/// Waits until a tab has the last message of each stream.
async fn complete(page: &mut Browser, last: u64) -> Seen {
    let ended = format!(
        "Object.keys(tab.seen).length === 3 && Object.values(tab.seen).every((numbers) => numbers.at(-1) === {last})"
    );
    let gap = "Object.values(tab.seen).some((numbers) => numbers.includes(null))";
    page.until(&format!("{ended} || {gap} || tab.odd.length > 0")).await;
    assert_eq!(page.eval("tab.odd").await, json!([]), "no fault");
    seen(page).await
}

fn assert_all(seen: &Seen, last: u64) {
    let all: Vec<_> = (1..=last).map(Some).collect();
    for (stream, numbers) in seen {
        assert_eq!(*numbers, all, "{stream}");
    }
}

/// Connections at the server, by its API.
async fn connections(server: &Server) -> usize {
    let request = server.http.get(format!("http://127.0.0.1:{}/api/v1/connections", server.port));
    let response: Value = request.bearer_auth(API_KEY).send().await.expect("a response").json().await.expect("JSON");
    response["connections"].as_array().unwrap_or_else(|| panic!("{response}")).len()
}

/// Opens a tab that shares its socket, and waits until it is subscribed.
async fn shared(page: &mut Browser, site: &Site, user: &str) -> Tab {
    let tab = page.new_tab().await;
    page.open(&site.address(user)).await;
    page.until("window.tab?.ready === true").await;
    tab
}

/// Waits until one of the tabs has the socket, and `more` is true there; returns its place.
async fn leader(page: &mut Browser, tabs: &[Tab], more: &str) -> usize {
    loop {
        for (place, tab) in tabs.iter().enumerate() {
            page.switch_to(tab);
            if page.eval(&format!("rt.state.shared === 'leader' && {more}")).await == json!(true) {
                return place;
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn three_tabs_share_a_socket_and_have_all_once_when_its_tab_is_closed_and_the_next_crashes() {
    let test = "three_tabs_share_a_socket_and_have_all_once_when_its_tab_is_closed_and_the_next_crashes";
    let Some(mut page) = Browser::start(test).await else { return };
    let server = Arc::new(Server::start(true).await);
    let Some(site) = Site::start(test, server.port).await else { return };
    let mut tabs = Vec::new();
    for _ in 0..3 {
        tabs.push(shared(&mut page, &site, "alice").await);
    }
    assert_eq!(connections(&server).await, 1);
    let ended = Arc::new(AtomicBool::new(false));
    let publisher = tokio::spawn({
        let (server, ended) = (Arc::clone(&server), Arc::clone(&ended));
        async move {
            let mut n = 0;
            while !ended.load(Ordering::Relaxed) {
                n += 1;
                publish(&server, n).await;
            }
            n
        }
    });
    for crash in [false, true] {
        sleep(Duration::from_millis(500)).await;
        let place = leader(&mut page, &tabs, CONNECTED).await;
        let dying = tabs.remove(place);
        page.switch_to(&dying);
        for (stream, numbers) in seen(&mut page).await {
            let all: Vec<_> = (1..=numbers.len() as u64).map(Some).collect();
            assert_eq!(numbers, all, "{stream}: all so far");
        }
        let begun = Instant::now();
        if crash {
            page.crash_tab(&dying).await;
        } else {
            page.close_tab(&dying).await;
        }
        leader(&mut page, &tabs, "true").await;
        let took = begun.elapsed();
        leader(&mut page, &tabs, CONNECTED).await;
        let how = if crash { "crashed" } else { "closed" };
        println!("{how}: another tab leads after {took:?}, and is connected after {:?}", begun.elapsed());
        assert!(took < HAND_OVER, "{took:?}");
    }
    sleep(Duration::from_millis(300)).await;
    ended.store(true, Ordering::Relaxed);
    let last = publisher.await.expect("it ends");
    for tab in &tabs {
        page.switch_to(tab);
        assert_all(&complete(&mut page, last).await, last);
    }
    println!("{} messages", 3 * last);
    assert_eq!(connections(&server).await, 1);
    page.close().await;
}

#[tokio::test]
async fn tabs_that_share_have_all_once_when_the_server_is_killed() {
    let test = "tabs_that_share_have_all_once_when_the_server_is_killed";
    let Some(mut page) = Browser::start(test).await else { return };
    let mut server = Server::start(true).await;
    let Some(site) = Site::start(test, server.port).await else { return };
    let tabs = [shared(&mut page, &site, "alice").await, shared(&mut page, &site, "alice").await];
    let last = 200;
    for n in 1..=last {
        publish(&server, n).await;
        if n == last / 2 {
            server.killed().await;
        }
    }
    for tab in &tabs {
        page.switch_to(tab);
        assert_all(&complete(&mut page, last).await, last);
    }
    assert_eq!(connections(&server).await, 1);
    page.close().await;
}

#[tokio::test]
async fn tabs_of_two_users_have_a_socket_each_and_nothing_of_each_other() {
    let test = "tabs_of_two_users_have_a_socket_each_and_nothing_of_each_other";
    let Some(mut page) = Browser::start(test).await else { return };
    let server = Server::start(true).await;
    let Some(site) = Site::start(test, server.port).await else { return };
    let alice = shared(&mut page, &site, "alice").await;
    let bob = shared(&mut page, &site, "bob").await;
    assert_eq!(connections(&server).await, 2);
    server.publish(&json!({"user": "bob"}), 7).await;
    server.publish(&json!({"user": "alice"}), 8).await;
    for (tab, number) in [(&alice, 8), (&bob, 7)] {
        page.switch_to(tab);
        page.until("tab.seen.user?.length > 0").await;
        assert_eq!(page.eval("[rt.state.shared, tab.seen]").await, json!(["leader", {"user": [number]}]));
    }
    page.close().await;
}
