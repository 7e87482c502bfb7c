//! The console of a server for development, in a real browser: connect as a user, watch messages arrive, publish to each
//! of the five targets; on a desk and on a phone; and after a connection was lost.

use realtime_tests::{Browser, World};
use serde_json::json;

/// Messages of the application that the page shows.
const SHOWN: &str = "document.querySelectorAll('#messages li[data-type=greeting]').length";

/// Opens the page that the server prints at its start, by a name of this machine.
async fn visit(page: &mut Browser, world: &World, name: &str) {
    page.open(&format!("http://{name}:{}/", world.address.port())).await;
    page.until("!!document.getElementById('connect')").await;
}

#[tokio::test]
async fn a_developer_connects_subscribes_and_publishes_to_each_of_the_five_targets() {
    let Some(mut page) =
        Browser::start("a_developer_connects_subscribes_and_publishes_to_each_of_the_five_targets").await
    else {
        return;
    };
    let world = World::dev().await;
    visit(&mut page, &world, "localhost").await;
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
    page.fill("target-name", "no-one").await;
    page.click("publish").await;
    page.until("document.getElementById('receipt').textContent.startsWith('delivered to 0 connections')").await;
    page.fill("payload", "not JSON").await;
    page.click("publish").await;
    page.until("!!document.querySelector('#payload-errors')").await;
    assert_eq!(page.text("receipt").await, "", "the receipt of the message before is gone");

    page.click("unsubscribe").await;
    page.until("document.getElementById('subscriptions').textContent === 'nothing'").await;
    page.click("disconnect").await;
    page.until("document.getElementById('state').textContent.startsWith('closed 1000')").await;
    world.until("realtime_connections", 1).await;
    assert!(page.errors().is_empty(), "{:?}", page.errors());
    page.close().await;
}

#[tokio::test]
async fn a_page_that_is_refused_shows_the_reason() {
    let Some(mut page) = Browser::start("a_page_that_is_refused_shows_the_reason").await else { return };
    let world = World::dev().await;
    visit(&mut page, &world, "127.0.0.1").await;
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

/// Connects and publishes, with a payload that has no space to break at.
async fn publish_long(page: &mut Browser) {
    page.click("connect").await;
    page.until("document.getElementById('state').dataset.state === 'open'").await;
    page.fill("payload", &json!({"text": "x".repeat(200)}).to_string()).await;
    page.fill("target", "user").await;
    page.click("publish").await;
    page.until(&format!("{SHOWN} === 1")).await;
    page.until("document.getElementById('receipt').textContent.startsWith('delivered to 1 connection,')").await;
}

/// Keeps pictures of the page, light and dark, where `REALTIME_SCREENSHOTS` says.
async fn picture(page: &mut Browser, name: &str) {
    let Some(folder) = std::env::var_os("REALTIME_SCREENSHOTS") else { return };
    for dark in [false, true] {
        page.prefer_dark(dark).await;
        let colours = if dark { "dark" } else { "light" };
        let file = std::path::Path::new(&folder).join(format!("{name}-{colours}.png.base64"));
        std::fs::write(file, page.screenshot().await).expect("a picture is written");
    }
}

#[tokio::test]
async fn the_receipt_is_in_sight_on_a_desk() {
    let Some(mut page) = Browser::start("the_receipt_is_in_sight_on_a_desk").await else { return };
    let world = World::dev().await;
    page.resize(1400, 900).await;
    visit(&mut page, &world, "localhost").await;
    assert_eq!(
        page.eval("!document.getElementById('target-name')").await,
        true,
        "nothing to name when a message is for everyone"
    );
    publish_long(&mut page).await;
    picture(&mut page, "desk").await;
    let seen = "(() => { const box = document.getElementById('receipt').getBoundingClientRect(); \
                return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight && scrollY === 0; })()";
    assert_eq!(page.eval(seen).await, true, "the receipt is below the edge of the screen");
    one_line(&mut page).await;
    page.close().await;
}

#[tokio::test]
async fn a_phone_shows_the_page_without_scrolling_sideways() {
    let Some(mut page) = Browser::start("a_phone_shows_the_page_without_scrolling_sideways").await else { return };
    let world = World::dev().await;
    page.resize(390, 844).await;
    visit(&mut page, &world, "localhost").await;
    publish_long(&mut page).await;
    picture(&mut page, "phone").await;
    page.eval("document.getElementById('messages').scrollIntoView()").await;
    picture(&mut page, "phone-messages").await;
    assert_eq!(page.eval("document.documentElement.scrollWidth <= innerWidth").await, true, "wider than the screen");
    one_line(&mut page).await;
    page.close().await;
}

/// The time of a message must not be broken into two lines.
async fn one_line(page: &mut Browser) {
    let lines = "(() => { const range = document.createRange(); \
                 range.selectNodeContents(document.querySelector('#messages li > :first-child')); \
                 return range.getClientRects().length; })()";
    assert_eq!(page.eval(lines).await, 1, "the time wraps");
}

#[tokio::test]
async fn a_page_that_loses_its_connection_reconnects_and_subscribes_again() {
    let name = "a_page_that_loses_its_connection_reconnects_and_subscribes_again";
    let Some(mut page) = Browser::start(name).await else { return };
    let world = World::dev().await;
    visit(&mut page, &world, "localhost").await;
    page.click("connect").await;
    page.until("document.getElementById('state').dataset.state === 'open'").await;
    page.click("subscribe").await;
    page.until("document.getElementById('subscriptions').textContent === 'order:123'").await;
    let first = page.text("connection").await;
    page.eval(
        "window.states = []; new MutationObserver(() => states.push(document.getElementById('state').textContent)) \
         .observe(document.getElementById('state'), { childList: true, characterData: true, subtree: true })",
    )
    .await;
    world.delete("/api/v1/users/alice/connections?code=4200&reason=moved").await.ok("disconnected");
    page.until("document.getElementById('subscriptions').textContent === 'order:123' && states.length >= 3").await;
    page.until("document.getElementById('state').dataset.state === 'open'").await;
    let states = page.eval("states.join(' | ')").await;
    let waits = "closed 4200: moved; reconnecting in ";
    assert!(states.as_str().is_some_and(|states| states.starts_with(waits)), "it says that it waits: {states}");
    assert_ne!(page.text("connection").await, first, "another connection");
    let receipt = json!({"to": {"topic": "order:123"}, "type": "greeting", "payload": 1});
    assert_eq!(world.post("/api/v1/publish", receipt).await.ok("receipt")["delivered"], 1);
    page.until(&format!("{SHOWN} === 1")).await;
    // Not when the person has disconnected.
    page.click("disconnect").await;
    page.until("document.getElementById('state').textContent === 'closed 1000'").await;
    world.until("realtime_connections", 0).await;
    page.close().await;
}
