//! A dashboard loads and follows, and continues with a hole after the server was killed.

use realtime_tests::Browser;

use crate::example::{Example, fits_a_phone, node, pictures};

/// Waits until the page shows more than `count` samples with `holes` holes or more; returns both numbers.
async fn samples(page: &mut Browser, count: u64, holes: u64) -> (u64, u64) {
    let shown = "document.getElementById('summary').textContent.match(/\\d+/g)?.map(Number)";
    page.until(&format!("(([count, holes]) => count > {count} && holes >= {holes})({shown} ?? [])")).await;
    let shown = page.eval(shown).await;
    (shown[0].as_u64().expect("a number"), shown[1].as_u64().expect("a number"))
}

#[tokio::test]
async fn a_dashboard_loads_follows_and_continues_after_a_gap() {
    let test = "a_dashboard_loads_follows_and_continues_after_a_gap";
    let Some(node) = node(test).await else { return };
    let Some(mut page) = Browser::start(test).await else { return };
    let mut example = Example::start("dashboard").await;
    let server = example.command(&node, "server.mjs");
    example.run(server, "http://localhost").await;
    let mut publisher = example.command(&node, "publisher.mjs");
    publisher.env("EVERY_MS", "400").stderr(std::process::Stdio::null());
    example.run(publisher, "publishing metrics:local").await;

    page.open(&example.url("/")).await;
    let (first, _) = samples(&mut page, 4, 0).await;
    // Another page begins with what the first one has.
    page.open(&example.url("/")).await;
    assert!(samples(&mut page, 0, 0).await.0 >= first, "the history was not loaded");

    example.kill().await;
    page.until("document.getElementById('state').dataset.phase === 'waiting'").await;
    let (before, holes) = samples(&mut page, 0, 0).await;
    // The publisher must miss more than three samples before there is a hole; nothing else tells.
    tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
    example.restart().await;
    let (after, holes) = samples(&mut page, before + 3, holes + 1).await;
    page.until("document.getElementById('state').dataset.phase === 'connected'").await;
    page.until("!document.getElementById('note').hidden").await;
    let once = "(() => { const times = [...document.querySelectorAll('#rows tr')].map((row) => Number(row.dataset.time)); \
                return times.every((time, i) => i === 0 || time < times[i - 1]); })()";
    assert_eq!(page.eval(once).await, true, "in order, none twice");
    samples(&mut page, after + 2, holes).await;
    pictures(&mut page, "dashboard").await;
    fits_a_phone(&mut page).await;
    let errors: Vec<_> = page.errors().iter().filter(|error| !error.contains("WebSocket")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    page.close().await;
}
