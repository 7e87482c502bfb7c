//! The operator's console in a real browser, against a real server: what an operator does, by mouse and by keyboard.

#[path = "console/operator.rs"]
mod operator;
#[path = "console/views.rs"]
mod views;

use operator::{DOUBLE_IDS, Operator, world_with_history};
use realtime_tests::World;
use serde_json::json;

#[tokio::test]
async fn a_wrong_key_is_refused_and_the_right_one_opens_the_console_until_the_operator_signs_out() {
    let name = "a_wrong_key_is_refused_and_the_right_one_opens_the_console_until_the_operator_signs_out";
    let world = World::with(|config| config.server.base_path = "/realtime".into()).await;
    let Some(mut operator) = Operator::visit(name, &world).await else { return };
    operator.sign_in("not-the-key").await;
    operator.read("This key is not accepted").await;
    operator.sign_in(world.api_key()).await;
    operator.read("Accepts connections").await;
    assert_eq!(operator.page.eval("document.title").await, "Overview – Realtime console");

    // A reload keeps the key; it is in the storage of this tab alone.
    operator.page.reload().await;
    operator.see("#sign-out").await;
    let kept = "[Object.keys(sessionStorage).length, Object.keys(localStorage).length, document.cookie]";
    assert_eq!(operator.page.eval(kept).await, json!([1, 0, ""]));
    operator.page.click("sign-out").await;
    operator.see("#api-key").await;
    assert_eq!(operator.page.eval("Object.keys(sessionStorage).length").await, 0);

    // A key that was accepted once and is not any more leads back to the form, with the reason.
    operator.page.eval("sessionStorage.setItem('realtime-console-key', 'withdrawn')").await;
    operator.page.reload().await;
    operator.read("does not accept the API key any more").await;
    operator.leave().await;
}

#[tokio::test]
async fn an_operator_finds_a_connection_by_the_name_of_its_client() {
    let world = World::start().await;
    let token = world.token("alice", &json!({}));
    let _phone = world.try_connect(&format!("/ws?token={token}&client=phone-1"), &[]).await.expect("a connection");
    let _other = world.connect("alice").await;
    let name = "an_operator_finds_a_connection_by_the_name_of_its_client";
    let Some(mut operator) = Operator::start(name, &world, "#/overview").await else { return };
    operator.read("0 subscriptions").await;
    operator.go("#/connections").await;
    operator.rows(2).await;
    operator.page.fill("search-client", "phone-1").await;
    operator.page.click("search").await;
    operator.rows(1).await;
    assert_eq!(operator.page.eval("location.hash").await, "#/connections?client=phone-1");
    operator.go("#/tail").await;
    operator.see("#tail-kind").await;
    operator.page.fill("tail-kind", "user").await;
    operator.read("What anyone publishes to the user, to its topics and roles").await;
    operator.go("#/try").await;
    operator.read("Try is served with --dev only").await;
    operator.leave().await;
}

#[tokio::test]
async fn an_operator_finds_a_user_and_closes_the_connection() {
    let world = World::start().await;
    let (mut alice, mut bob) = (world.connect_granted("alice", "**").await, world.connect("bob").await);
    alice.subscribe("order:123").await;
    let name = "an_operator_finds_a_user_and_closes_the_connection";
    let Some(mut operator) = Operator::start(name, &world, "#/connections").await else { return };
    operator.rows(2).await;
    operator.page.fill("search-user", "alice").await;
    operator.page.click("search").await;
    operator.rows(1).await;
    assert_eq!(operator.page.eval("location.hash").await, "#/connections?user=alice");
    operator.press("tbody a").await;
    operator.read("order:123").await;
    operator.read(&alice.id()).await;
    operator.page.click("close-connection").await;
    operator.see("dialog[open]").await;
    operator.page.fill("close-reason", "maintenance").await;
    operator.page.click("dialog-action").await;
    operator.read("The connection of alice is closed.").await;
    operator.read("This connection is closed.").await;
    let closing = alice.closing().await;
    assert_eq!((&closing["code"], &closing["reason"]), (&json!(4200), &json!("maintenance")));
    bob.got_nothing().await;
    operator.leave().await;
}

#[tokio::test]
async fn a_blocked_user_stays_away_until_the_operator_ends_it() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    let name = "a_blocked_user_stays_away_until_the_operator_ends_it";
    let Some(mut operator) = Operator::start(name, &world, &format!("#/connections/{}", alice.id())).await else {
        return;
    };
    operator.press("#block").await;
    operator.see("dialog[open]").await;
    operator.page.fill("block-reason", "spam").await;
    operator.page.click("dialog-action").await;
    operator.read("alice is blocked until").await;
    operator.read("This connection is closed. alice is blocked until").await;
    operator.read("(spam). Revocations").await;
    assert_eq!(alice.closing().await["code"], 4403);
    let token = world.token("alice", &json!({}));
    let refused = world.try_connect(&format!("/ws?token={token}"), &[]).await;
    assert!(refused.is_err(), "a blocked user connects");

    operator.go("#/revocations").await;
    operator.rows(1).await;
    operator.read("user alice").await;
    operator.press("tbody button").await;
    operator.press("#dialog-action").await;
    operator.read("Nothing is refused").await;
    world.connect("alice").await;

    // A user who is not connected can be blocked by name.
    operator.press("#block").await;
    operator.see("dialog[open]").await;
    assert_eq!(operator.page.eval(DOUBLE_IDS).await, json!([]));
    operator.page.fill("block-user", "mallory").await;
    operator.page.fill("block-time", "10m").await;
    operator.page.click("dialog-action").await;
    operator.read("mallory is blocked until").await;
    operator.rows(1).await;
    operator.leave().await;
}

#[tokio::test]
async fn a_published_message_has_its_receipt_and_a_refused_one_its_places() {
    let world = world_with_history().await;
    let mut alice = world.connect_granted("alice", "**").await;
    alice.subscribe("order:7").await;
    let name = "a_published_message_has_its_receipt_and_a_refused_one_its_places";
    let Some(mut operator) = Operator::start(name, &world, "#/publish?to=topic&name=order:7").await else { return };
    operator.see("#payload").await;
    operator.page.fill("type", "order-updated").await;
    operator.page.fill("payload", "{\n  \"total\": -1,\n}").await;
    operator.read("Line 3, column 1: Expected a name in double quotes, found `}`.").await;
    operator.page.fill("payload", "{\n  \"total\": -1\n}").await;
    operator.page.click("publish").await;
    operator.read("/total (line 2): must be at least 0").await;
    operator.page.fill("type", "other").await;
    operator.page.click("publish").await;
    operator.see("#type-errors").await;
    alice.got_nothing().await;

    operator.page.fill("type", "order-updated").await;
    operator.page.fill("payload", "{\"total\": 5}").await;
    operator.page.click("publish").await;
    operator.read("Published: delivered to 1 connection.").await;
    assert_eq!(alice.publication().await["payload"], json!({"total": 5}));
    assert!(operator.page.text("receipt").await.contains("Offset1"), "its offset");

    // From the receipt to the explanation of the message.
    operator.press("#receipt a").await;
    operator.see("#explain-user").await;
    operator.page.fill("explain-user", "alice").await;
    operator.page.click("explain").await;
    operator.read("Written to the socket").await;
    operator.page.fill("explain-user", "bob").await;
    operator.page.click("explain").await;
    operator.read("bob has no connection to this node now; whether an earlier connection received").await;
    assert_eq!(operator.page.eval("!!document.querySelector('.verdict.unknown code')").await, true, "a name as code");
    let block = json!({"user": "bob", "for": "1h", "reason": "spam"});
    world.post("/api/v1/revocations", block).await.ok("revoked");
    operator.page.click("explain").await;
    operator.read("bob is blocked until").await;
    assert_eq!(operator.page.eval("document.querySelector('.blocked a').hash").await, "#/revocations");

    operator.go("#/topics/order%3A7?show=history").await;
    operator.rows(1).await;
    operator.read("{\"total\":5}").await;
    operator.go("#/topics/order%3A7?show=presence").await;
    operator.read("1 user is on the topic.").await;
    operator.leave().await;
}

#[tokio::test]
async fn the_tail_shows_offsets_and_stands_still_while_it_is_paused() {
    let world = world_with_history().await;
    let name = "the_tail_shows_offsets_and_stands_still_while_it_is_paused";
    let Some(mut operator) = Operator::start(name, &world, "#/tail").await else { return };
    operator.see("#tail-kind").await;
    operator.page.fill("tail-kind", "topic").await;
    operator.see("#tail-name").await;
    operator.page.fill("tail-name", "chat:*").await;
    operator.page.click("tail-start").await;
    operator.page.until("document.getElementById('tail-state')?.textContent === 'Live'").await;
    let publish = async |kind: &str, n: u64| world.publish(json!({"topic": "chat:1"}), kind, json!({"n": n})).await;
    for n in 1..=3 {
        publish("said", n).await;
    }
    world.publish(json!({"topic": "other:1"}), "said", json!(0)).await;
    operator.rows(3).await;
    let offsets = "[...document.querySelectorAll('tbody td:nth-child(2)')].map(cell => cell.textContent).join()";
    assert_eq!(operator.page.eval(offsets).await, "3,2,1", "newest first");
    operator.read("{\"n\":3}").await;

    operator.page.click("tail-pause").await;
    operator.page.until("document.getElementById('tail-pause').textContent === 'Resume'").await;
    publish("said", 4).await;
    publish("typing", 5).await;
    operator.read("2 new events since the pause").await;
    operator.rows(3).await;
    operator.page.click("tail-pause").await;
    operator.rows(5).await;

    operator.page.fill("tail-type", "typing").await;
    operator.page.click("tail-start").await;
    operator
        .page
        .until("location.hash.includes('type=typing') && document.getElementById('tail-state')?.textContent === 'Live'")
        .await;
    publish("said", 6).await;
    publish("typing", 7).await;
    operator.rows(1).await;
    operator.read("{\"n\":7}").await;
    operator.leave().await;
}

#[tokio::test]
async fn a_tail_says_how_many_events_it_does_not_have() {
    let world = World::with(|config| config.limits.trace_events = 16.try_into().expect("a limit")).await;
    let name = "a_tail_says_how_many_events_it_does_not_have";
    let Some(mut operator) = Operator::start(name, &world, "#/tail?kind=topic&name=chat:*").await else { return };
    operator.page.until("document.getElementById('tail-state')?.textContent === 'Live'").await;
    let message = json!({"to": {"topic": "chat:1"}, "type": "said", "payload": 1});
    world.post("/api/v1/publish/batch", json!({"publications": vec![message; 1000]})).await.ok("batch-response");
    operator.read("left out by the server: this page reads too slowly").await;
    let known = "[...document.getElementById('tail-note').textContent.matchAll(/[\\d,]+(?= events? w)/g)] \
                 .reduce((sum, [n]) => sum + Number(n.replace(',', '')), document.querySelectorAll('tbody tr').length)";
    operator.page.until(&format!("{known} === 1000")).await;
    operator.leave().await;
}

#[tokio::test]
async fn the_keyboard_alone_finds_and_closes_a_connection() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    let _bob = world.connect("bob").await;
    let name = "the_keyboard_alone_finds_and_closes_a_connection";
    let Some(mut operator) = Operator::start(name, &world, "#/overview").await else { return };
    operator.read("Accepts connections").await;
    operator.page.eval("document.activeElement.blur()").await;
    operator.page.press("Tab").await;
    assert_eq!(operator.page.eval("document.activeElement.className").await, "skip", "the first stop");
    assert_eq!(operator.page.eval("document.activeElement.getBoundingClientRect().top > 0").await, true, "it is seen");
    operator.page.press("Enter").await;
    assert_eq!(operator.page.eval("document.activeElement.id").await, "main");

    operator.page.eval("document.activeElement.blur(); document.querySelector('.skip').focus()").await;
    operator.tab_to("it.textContent === 'Connections'").await;
    let ring = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(operator.page.eval(ring).await, "solid", "the focus is visible");
    operator.page.press("Enter").await;
    operator.rows(2).await;
    assert_eq!(operator.page.eval("document.activeElement.id").await, "title", "the new view is announced");
    operator.tab_to("it.id === 'search-user'").await;
    operator.page.type_text("alice").await;
    operator.page.press("Enter").await;
    operator.rows(1).await;
    operator.tab_to("it.textContent === 'alice'").await;
    operator.page.press("Enter").await;
    operator.see("#close-connection").await;
    operator.tab_to("it.id === 'close-connection'").await;
    operator.page.press("Enter").await;
    operator.see("dialog[open]").await;
    operator.page.press("Escape").await;
    operator.page.until("!document.querySelector('dialog')").await;
    assert_eq!(operator.page.eval("document.activeElement.id").await, "close-connection", "the focus is back");
    operator.page.press("Enter").await;
    operator.see("dialog[open]").await;
    operator.tab_to("it.id === 'dialog-action'").await;
    operator.page.press("Enter").await;
    operator.read("The connection of alice is closed.").await;
    assert_eq!(alice.closing().await["code"], 4200);
    operator.leave().await;
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page_and_not_at_all_while_hidden() {
    let world = World::start().await;
    let mut clients = Vec::new();
    for n in 0..60 {
        clients.push(world.connect(&format!("user-{n:02}")).await);
    }
    let name = "a_long_list_is_read_page_by_page_and_not_at_all_while_hidden";
    let Some(mut operator) = Operator::start(name, &world, "#/connections").await else { return };
    operator.rows(50).await;
    operator.press(".pager button:nth-of-type(2)").await;
    operator.rows(10).await;
    operator.read("user-59").await;
    operator.press(".pager button:nth-of-type(1)").await;
    operator.rows(50).await;
    operator.read("user-00").await;
    let hide = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.isHidden }); \
                window.isHidden = true; document.dispatchEvent(new Event('visibilitychange'))";
    operator.page.eval(hide).await;
    let count = "performance.getEntriesByType('resource').length";
    let reads = format!(
        "new Promise(done => setTimeout(() => {{ const before = {count}; setTimeout(() => done({count} - before), 5500); }}, 500))"
    );
    assert_eq!(operator.page.eval(&reads).await, 0, "a hidden page reads nothing");
    operator
        .page
        .eval(&format!(
            "window.before = {count}; window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))"
        ))
        .await;
    operator.page.until(&format!("{count} > window.before")).await;
    operator.leave().await;
}
