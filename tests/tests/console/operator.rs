//! An operator at the console, and the server that it is opened on.

use std::fs;

use realtime_server::Config;
use realtime_tests::{Browser, World};
use serde_json::json;

/// The ids that more than one element has: a label would name the wrong one.
pub(crate) const DOUBLE_IDS: &str =
    "[...document.querySelectorAll('[id]')].map(it => it.id).filter((id, n, all) => all.indexOf(id) !== n)";

/// An operator who has the console open.
pub(crate) struct Operator {
    pub(crate) page: Browser,
    origin: String,
}

impl Operator {
    /// Opens the console of `world`, signed in, at a view; or nothing on a machine without a browser.
    pub(crate) async fn start(test: &str, world: &World, view: &str) -> Option<Self> {
        let mut operator = Self::visit(test, world).await?;
        operator.sign_in(world.api_key()).await;
        operator.see("#title").await;
        operator.go(view).await;
        Some(operator)
    }

    pub(crate) async fn visit(test: &str, world: &World) -> Option<Self> {
        let mut page = Browser::start(test).await?;
        page.resize(1280, 860).await;
        let origin = format!("http://127.0.0.1:{}", world.address.port());
        page.open(&format!("{origin}{}/console/", world.config.server.base_path)).await;
        Some(Self { page, origin })
    }

    pub(crate) async fn sign_in(&mut self, key: &str) {
        self.see("#api-key").await;
        self.page.fill("api-key", key).await;
        self.page.click("sign-in").await;
    }

    /// Goes to a view by its address, as a bookmark does.
    pub(crate) async fn go(&mut self, view: &str) {
        self.page.eval(&format!("location.hash = {}", json!(view))).await;
    }

    /// Waits until an element is there.
    pub(crate) async fn see(&mut self, selector: &str) {
        self.page.until(&format!("!!document.querySelector({})", json!(selector))).await;
    }

    /// Waits until the page shows a text.
    pub(crate) async fn read(&mut self, text: &str) {
        self.page.until(&format!("document.body?.innerText.includes({})", json!(text))).await;
    }

    /// Waits until a table has so many rows.
    pub(crate) async fn rows(&mut self, count: usize) {
        self.page.until(&format!("document.querySelectorAll('tbody tr').length === {count}")).await;
    }

    /// Presses the first element that a selector finds.
    pub(crate) async fn press(&mut self, selector: &str) {
        self.see(selector).await;
        self.page.eval(&format!("document.querySelector({}).click()", json!(selector))).await;
    }

    /// Moves the focus with Tab until an expression is true of the focused element, which is `it`.
    pub(crate) async fn tab_to(&mut self, what: &str) {
        for _ in 0..60 {
            self.page.press("Tab").await;
            if self.page.eval(&format!("(it => {what})(document.activeElement)")).await == json!(true) {
                return;
            }
        }
        panic!("the keyboard does not get to {what}");
    }

    /// Ends the visit: the page must have had no error that it does not know, and have asked no other host.
    pub(crate) async fn leave(self) {
        for address in self.page.requests() {
            let host = address.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
            let own =
                address.starts_with("data:") || address == "about:blank" || self.origin.ends_with(&format!("/{host}"));
            assert!(own, "the page asks another host: {address}");
        }
        let unknown = |error: &&String| !error.contains("Failed to load resource");
        let errors: Vec<_> = self.page.errors().iter().filter(unknown).collect();
        assert!(errors.is_empty(), "{errors:?}");
        self.page.close().await;
    }
}

const NAMESPACES: &str = r#"
[[namespaces]]
pattern = "topic:order:*"
history = {}
presence = {}
messages = { order-updated = "order.json" }

[[namespaces]]
pattern = "topic:**"
history = {}
"#;

/// A server whose topics have a history, and whose orders have a contract.
pub(crate) async fn world_with_history() -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let contract = r#"{"type": "object", "properties": {"total": {"type": "integer", "minimum": 0}}}"#;
    fs::write(folder.path().join("order.json"), contract).expect("a file");
    let file = folder.path().join("realtime.toml");
    fs::write(&file, NAMESPACES).expect("a file");
    World::with(|config| {
        let loaded = Config::load(Some(&file), [], []).unwrap_or_else(|error| panic!("{error}"));
        config.namespaces = loaded.namespaces;
        config.schema_dir = loaded.schema_dir;
    })
    .await
}
