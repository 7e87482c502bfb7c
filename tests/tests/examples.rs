//! The examples, built and started as their READMEs say, against the real server and in a real browser: two users chat
//! while the server is killed, a user who was away gets its notifications, a dashboard continues after a gap.
#![cfg(unix)]

#[path = "examples/chat.rs"]
mod chat;
#[path = "examples/dashboard.rs"]
mod dashboard;
#[path = "examples/example.rs"]
mod example;
#[path = "examples/notifications.rs"]
mod notifications;
