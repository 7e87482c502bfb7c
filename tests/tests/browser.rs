//! The live page for development, in a real browser: connect as a user, watch messages arrive, publish to each of
//! the five targets.

use realtime_tests::{Browser, World};
use serde_json::json;

/// Messages of the application that the page shows.
const SHOWN: &str = "document.querySelectorAll('#messages li[data-type=greeting]').length";

#[tokio::test]
async fn a_developer_connects_subscribes_and_publishes_to_each_of_the_five_targets() {
    let Some(mut page) =
        Browser::start("a_developer_connects_subscribes_and_publishes_to_each_of_the_five_targets").await
    else {
        return;
    };
    let world = World::dev().await;
    page.open(&format!("http://localhost:{}/", world.address.port())).await;
    page.fill("user", "alice").await;
    page.fill("roles", "admin, staff").await;
    page.click("connect").await;
    page.until("document.getElementById('state').dataset.state === 'open'").await;
    assert!(page.text("connection").await.starts_with("alice on connection "));
    assert_eq!(world.metric("realtime_connections").await, 1);

    page.fill("topic", "order:123").await;
    page.click("subscribe").await;
    page.until("document.getElementById('subscriptions').textContent === 'order:123'").await;

    // A bystander on another kind of client, who must get nothing but what is for all.
    let mut bystander = world.connect("bob").await;
    for (n, target) in ["user", "role", "connection", "topic"].into_iter().enumerate() {
        page.fill("target", target).await;
        page.fill("payload", &json!({"by": target}).to_string()).await;
        page.click("publish").await;
        page.until(&format!("{SHOWN} === {}", n + 1)).await;
        page.until("document.getElementById('receipt').textContent.startsWith('delivered to 1 connection,')").await;
        let newest = page.eval("document.querySelector('#messages li').textContent").await;
        assert!(newest.as_str().is_some_and(|text| text.contains(&json!({"by": target}).to_string())), "{newest}");
    }
    page.fill("target", "all").await;
    page.click("publish").await;
    page.until(&format!("{SHOWN} === 5")).await;
    page.until("document.getElementById('receipt').textContent.startsWith('delivered to 2 connections')").await;
    assert_eq!(bystander.publication().await["type"], "greeting");
    bystander.got_nothing().await;

    page.fill("target", "user").await;
    page.fill("target-name", "nobody").await;
    page.click("publish").await;
    page.until("document.getElementById('receipt').textContent.startsWith('delivered to 0 connections')").await;
    page.fill("payload", "not JSON").await;
    page.click("publish").await;
    page.until("document.getElementById('receipt').className === 'bad'").await;

    page.click("unsubscribe").await;
    page.until("document.getElementById('subscriptions').textContent === 'nothing'").await;
    page.click("disconnect").await;
    page.until("document.getElementById('state').textContent.startsWith('closed 1000')").await;
    world.until("realtime_connections", 1).await;
    assert!(page.trouble().is_empty(), "{:?}", page.trouble());
    page.close().await;
}

#[tokio::test]
async fn a_page_that_is_refused_shows_the_reason() {
    let Some(mut page) = Browser::start("a_page_that_is_refused_shows_the_reason").await else { return };
    let world = World::dev().await;
    page.open(&format!("http://127.0.0.1:{}/", world.address.port())).await;
    page.fill("grants", "fly:away").await;
    page.click("connect").await;
    page.until("document.getElementById('state').textContent.includes('grant')").await;
    page.fill("grants", "").await;
    page.click("connect").await;
    page.until("document.getElementById('state').dataset.state === 'open'").await;
    page.click("subscribe").await;
    page.until("document.querySelectorAll('#messages li[data-type=error]').length === 1").await;
    assert_eq!(page.text("subscriptions").await, "nothing");
    world.delete("/api/v1/users/alice/connections?code=4000&reason=go%20away").await.ok("disconnected");
    page.until("document.getElementById('state').textContent === 'closed 4000: go away'").await;
    page.close().await;
}
