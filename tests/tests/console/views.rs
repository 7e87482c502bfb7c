//! Every view of the console, on a phone: its width, its colours, and names that look like HTML.

use serde_json::{Value, json};

use crate::operator::{DOUBLE_IDS, Operator, world_with_history};

/// A user whose name is HTML that sets `window.hit`, if it is ever taken for HTML.
const HOSTILE: &str = "<img src=x onerror=\"window.hit=1\">";

/// Looks for text with too little contrast (WCAG 2.2, 1.4.3) in what the page shows now.
const FAINT: &str = r"(async () => {
    await Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => {})));
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgba = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
    const behind = (element) => { for (let e = element; e; e = e.parentElement) { const color = rgba(getComputedStyle(e).backgroundColor); if (color[3] > 250) return color; } return rgba(getComputedStyle(document.body).backgroundColor); };
    const faint = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || element.closest('button:disabled, noscript, svg, option') || !element.checkVisibility({ opacityProperty: true })) continue;
        const style = getComputedStyle(element);
        const [a, b] = [light(rgba(style.color)), light(behind(element))].sort((x, y) => y - x);
        const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
        if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) faint.add(`${((a + 0.05) / (b + 0.05)).toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
    }
    return [...faint].join('; ');
})()";

/// The views with something in them, and a text that each shows when it is complete.
fn views(connection: &str) -> Vec<(String, &'static str)> {
    let topic = "order%3A%3Cimg%2Fsrc%3Dx%2Fonerror%3D%22window.hit%3D1%22%3E";
    [
        ("#/overview".to_owned(), "Accepts connections"),
        ("#/connections".to_owned(), "onerror"),
        (format!("#/connections/{connection}"), "Subscriptions"),
        ("#/topics".to_owned(), "onerror"),
        ("#/topics?by=rate".to_owned(), "onerror"),
        (format!("#/topics/{topic}"), "onerror"),
        (format!("#/topics/{topic}?show=presence"), "is on the topic"),
        (format!("#/topics/{topic}?show=history"), "order-updated"),
        ("#/tail?kind=everything".to_owned(), "Live"),
        ("#/publish".to_owned(), "Receipt"),
        (format!("#/explain?to=all&user={}", "%3Cimg%20src%3Dx%20onerror%3D%22window.hit%3D1%22%3E"), "onerror"),
        ("#/revocations".to_owned(), "onerror"),
        ("#/nowhere".to_owned(), "There is no such view"),
    ]
    .into()
}

#[tokio::test]
async fn every_view_fits_a_phone_is_readable_light_and_dark_and_shows_names_as_text() {
    let world = world_with_history().await;
    let mut hostile = world.connect_granted(HOSTILE, "**").await;
    let topic = "order:<img/src=x/onerror=\"window.hit=1\">";
    hostile.subscribe(topic).await;
    hostile.subscribe(&format!("chat:{}", "long".repeat(60))).await;
    let payload = json!({"html": HOSTILE, "long": "x".repeat(400)});
    world.publish(json!({"topic": topic}), "order-updated", payload.clone()).await;
    world.publish(json!({"topic": format!("chat:{}", "long".repeat(60))}), "note", payload).await;
    let block = json!({"user": format!("blocked {HOSTILE}"), "for": "1h", "reason": HOSTILE});
    world.post("/api/v1/revocations", block).await.ok("revoked");
    let name = "every_view_fits_a_phone_is_readable_light_and_dark_and_shows_names_as_text";
    let Some(mut operator) = Operator::start(name, &world, "#/overview").await else { return };
    operator.page.resize(390, 844).await;
    let mut wrong = Vec::new();
    for (view, complete) in views(&hostile.id()) {
        operator.go(&view).await;
        operator.read(complete).await;
        for dark in [false, true] {
            operator.page.prefer_dark(dark).await;
            let faint = operator.page.eval(FAINT).await;
            if faint != json!("") {
                wrong.push(format!("{view}, dark: {dark}: {faint}"));
            }
        }
        let double = operator.page.eval(DOUBLE_IDS).await;
        if double != json!([]) {
            wrong.push(format!("{view} has these ids twice: {double}"));
        }
        let excess = operator.page.eval("document.documentElement.scrollWidth - innerWidth").await;
        if excess.as_i64().is_none_or(|excess| excess > 0) {
            wrong.push(format!("{view} is {excess} pixels wider than a phone"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let taken = "[window.hit, document.querySelectorAll('[onerror], img:not([src=\"icon.svg\"])').length]";
    assert_eq!(operator.page.eval(taken).await, json!([Value::Null, 0]), "a name was taken for HTML");

    // The menu of a phone, and colours that the operator chose.
    operator.press("#menu").await;
    operator.page.until("document.querySelector('.views').checkVisibility()").await;
    operator.page.prefer_dark(false).await;
    operator.press("#theme-dark").await;
    operator.page.reload().await;
    operator.see("#title").await;
    let background = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(operator.page.eval(background).await, "rgb(16, 19, 18)", "dark, as the operator chose");
    operator.leave().await;
}
