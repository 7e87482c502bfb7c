//! The page of the stories, with our client as it is bundled for browsers, and its tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::{
    Router,
    extract::Query,
    http::header::CONTENT_TYPE,
    response::{Html, IntoResponse},
    routing::get,
};
use realtime_tests::{Issuer, typescript_client};
use serde_json::json;
use tokio::net::TcpListener;

/// A web server with the page. It runs as long as the story.
pub(crate) struct Site {
    page: u16,
    server: u16,
}

impl Site {
    /// `None` if the client's packages are not installed.
    pub(crate) async fn start(test: &str, server: u16) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let bundle = typescript_client(test, "src/shared/index.ts", folder.path(), &["--format=esm"]).await?;
        let script = std::fs::read_to_string(bundle).expect("the client");
        let reply = move || async move { ([(CONTENT_TYPE, "text/javascript")], script).into_response() };
        let router = Router::new()
            .route("/", get(|| async { Html(include_str!("page.html")) }))
            .route("/token", get(token))
            .route("/shared.mjs", get(reply));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let page = listener.local_addr().expect("its address").port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Some(Self { page, server })
    }

    /// The address of the page for a user.
    pub(crate) fn address(&self, user: &str) -> String {
        format!("http://127.0.0.1:{}/?user={user}&port={}", self.page, self.server)
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    user: String,
}

async fn token(Query(Asked { user }): Query<Asked>) -> String {
    let expires = SystemTime::now() + Duration::from_secs(3600);
    let exp = expires.duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    Issuer::hmac().token(&user, &json!({"roles": ["admin"], "grants": ["subscribe:order:*"], "exp": exp}))
}
