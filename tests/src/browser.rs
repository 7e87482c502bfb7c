//! A real browser without a window, driven over the Chrome DevTools Protocol.

use std::{path::PathBuf, process::Stdio, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::program;

/// The longest that the browser may take for one thing; it starts slowly on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A browser of its own, and the tab of it that is driven. Dropping it ends the browser.
pub struct Browser {
    process: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    tab: Tab,
    calls: u64,
    /// What the page logged as an error.
    errors: Vec<String>,
    /// The addresses that the page requested or connected to.
    requests: Vec<String>,
    /// How often a page was complete.
    loads: u64,
    profile: tempfile::TempDir,
}

/// A tab of a browser.
#[derive(Clone, Default)]
pub struct Tab {
    target: Value,
    session: Value,
}

impl Browser {
    /// Starts a browser for `test`, unless this machine has none.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(test: &str) -> Option<Self> {
        let binary = program(test, &["chromium", "chromium-headless-shell", "google-chrome", "chromium-browser"])?;
        Some(timeout(DEADLINE, Self::launch(binary)).await.expect("a browser in time"))
    }

    async fn launch(binary: PathBuf) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut process = Command::new(binary)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--remote-debugging-port=0", "--no-proxy-server", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the browser starts");
        let mut lines = BufReader::new(process.stderr.take().expect("its log")).lines();
        let address = loop {
            let line = lines.next_line().await.expect("its log").expect("an address to be driven at");
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                break address.to_owned();
            }
        };
        // Nothing else reads it, and a full pipe would stop the browser.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = connect_async(address).await.expect("the browser listens");
        let (tab, errors, requests) = (Tab::default(), Vec::new(), Vec::new());
        let mut browser = Self { process, socket, tab, calls: 0, errors, requests, loads: 0, profile };
        browser.new_tab().await;
        browser
    }

    /// Opens a tab in front of the others; it is the one that is driven from now on.
    pub async fn new_tab(&mut self) -> Tab {
        self.tab = Tab::default();
        let target = self.call("Target.createTarget", json!({"url": "about:blank"})).await["targetId"].clone();
        let attach = json!({"targetId": target, "flatten": true});
        let session = self.call("Target.attachToTarget", attach).await["sessionId"].clone();
        self.tab = Tab { target, session };
        for domain in ["Runtime", "Log", "Page", "Network"] {
            self.call(&format!("{domain}.enable"), json!({})).await;
        }
        self.tab.clone()
    }

    /// The tab that is driven.
    pub fn tab(&self) -> Tab {
        self.tab.clone()
    }

    /// Drives another tab. What is in view stays.
    pub fn switch_to(&mut self, tab: &Tab) {
        self.tab = tab.clone();
    }

    /// Ends a tab without asking its page. Another one is to be driven before the next call.
    pub async fn close_tab(&mut self, tab: &Tab) {
        self.tab = Tab::default();
        self.call("Target.closeTarget", json!({"targetId": tab.target})).await;
    }

    /// Crashes the process of a tab. Another one is to be driven before the next call.
    ///
    /// # Panics
    /// The browser is gone.
    pub async fn crash_tab(&mut self, tab: &Tab) {
        self.calls += 1;
        let call = json!({"id": self.calls, "method": "Page.crash", "sessionId": tab.session});
        // The process that would respond is gone.
        self.socket.send(Message::text(call.to_string())).await.expect("the browser listens");
        while self.receive().await["method"] != "Inspector.targetCrashed" {}
    }

    /// Shows the tab that is driven in front of the others.
    pub async fn bring_to_front(&mut self) {
        self.call("Page.bringToFront", json!({})).await;
    }

    /// Freezes the page, as a browser does with a tab that is hidden for long, or lets it go on.
    pub async fn freeze(&mut self, frozen: bool) {
        let state = if frozen { "frozen" } else { "active" };
        self.call("Page.setWebLifecycleState", json!({"state": state})).await;
    }

    /// Opens a page.
    ///
    /// # Panics
    /// It can't be opened.
    pub async fn open(&mut self, address: &str) {
        let opened = self.call("Page.navigate", json!({"url": address})).await;
        assert_eq!(opened["errorText"], Value::Null, "{address} does not open");
        self.until("document.readyState === 'complete'").await;
    }

    /// Loads the page again, and waits until it is complete.
    pub async fn reload(&mut self) {
        let loads = self.loads;
        self.call("Page.reload", json!({})).await;
        while self.loads == loads {
            self.receive().await;
        }
    }

    /// What an expression is on the page.
    ///
    /// # Panics
    /// It throws.
    pub async fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let response = self.call("Runtime.evaluate", asked).await;
        assert_eq!(response["exceptionDetails"], Value::Null, "{expression} throws");
        response["result"]["value"].clone()
    }

    /// Waits until an expression is true on the page.
    ///
    /// # Panics
    /// It is never true.
    pub async fn until(&mut self, expression: &str) {
        let becomes_true = async {
            while self.eval(expression).await != json!(true) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let result = timeout(DEADLINE, becomes_true).await;
        assert!(result.is_ok(), "never on the page: {expression}");
    }

    /// Fills a field, as typing does.
    pub async fn fill(&mut self, id: &str, text: &str) {
        let set = format!(
            "{{ const field = document.getElementById({}); field.value = {}; \
             for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, {{ bubbles: true }})); }}",
            json!(id),
            json!(text)
        );
        self.eval(&set).await;
    }

    /// Presses a button.
    pub async fn click(&mut self, id: &str) {
        self.eval(&format!("document.getElementById({}).click()", json!(id))).await;
    }

    /// Presses a key of the keyboard, such as `Tab`, `Enter` or `Escape`.
    ///
    /// # Panics
    /// It has no code here.
    pub async fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            " " => (32, " "),
            other => panic!("no code for {other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Types a text into the element that has the focus.
    pub async fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text})).await;
    }

    /// The text of an element.
    ///
    /// # Panics
    /// There is no such element.
    pub async fn text(&mut self, id: &str) -> String {
        let text = self.eval(&format!("document.getElementById({}).textContent", json!(id))).await;
        text.as_str().expect("a text").to_owned()
    }

    /// Shows the page on a screen of this size, in CSS pixels.
    pub async fn resize(&mut self, width: u32, height: u32) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// Shows the page to a person who prefers dark colours, or light ones.
    pub async fn prefer_dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// A picture of the page as a PNG file, encoded as base64.
    ///
    /// # Panics
    /// The browser takes none.
    pub async fn screenshot(&mut self) -> String {
        let picture = self.call("Page.captureScreenshot", json!({"format": "png"})).await;
        picture["data"].as_str().expect("a picture").to_owned()
    }

    /// What went wrong on the page, as its console would show.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// The addresses that the page requested or connected to, from the first on.
    pub fn requests(&self) -> &[String] {
        &self.requests
    }

    /// Ends the browser and waits until it is gone.
    pub async fn close(mut self) {
        drop(self.process.start_kill());
        drop(timeout(DEADLINE, self.process.wait()).await);
        drop(self.profile);
    }

    /// The next response or event, which is noted.
    async fn receive(&mut self) -> Value {
        let message = timeout(DEADLINE, self.socket.next()).await.expect("a response in time");
        let Some(Ok(Message::Text(text))) = message else { panic!("the browser is gone") };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        let params = &message["params"];
        match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.errors.push(params.to_string()),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => {
                self.errors.push(params["entry"]["text"].to_string());
            }
            Some("Network.requestWillBeSent") => self.requested(&params["request"]["url"]),
            Some("Network.webSocketCreated") => self.requested(&params["url"]),
            Some("Page.loadEventFired") => self.loads += 1,
            _ => {}
        }
        message
    }

    fn requested(&mut self, address: &Value) {
        self.requests.push(address.as_str().expect("an address").to_owned());
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({"id": self.calls, "method": method, "params": params});
        if self.tab.session.is_string() {
            call["sessionId"] = self.tab.session.clone();
        }
        self.socket.send(Message::text(call.to_string())).await.expect("the browser listens");
        loop {
            let mut response = self.receive().await;
            if response["id"] == self.calls {
                assert_eq!(response["error"], Value::Null, "{method}");
                return response["result"].take();
            }
        }
    }
}
