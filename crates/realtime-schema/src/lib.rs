//! The types on the wire: client commands, server frames, the envelope between nodes, token claims, records, error and
//! close codes. Each type has serde for encoding, and a JSON Schema for authors of clients.
//!
//! This crate makes no decisions: a value of these types has passed the validation of its own type, and no other check.
//!
//! ```
//! use realtime_schema::{PublishRequest, Topic, catalog};
//!
//! // The body of `POST /api/v1/publish`.
//! let body = r#"{"to":{"topic":"order:123"},"type":"order-updated","payload":{"status":"shipped"}}"#;
//! let request: PublishRequest = serde_json::from_str(body)?;
//! assert_eq!(request.kind.to_string(), "order-updated");
//!
//! // A value that is not valid can't be made, from JSON or in Rust.
//! assert!(Topic::new("no spaces, please").is_err());
//!
//! // The JSON Schemas, as in docs/schemas.
//! assert!(catalog().iter().any(|entry| entry.name == "publish-request"));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! - Frames: [`Command`] from a client; [`Control`] and [`Message`] from the server.
//! - Recipients of a message: [`Audience`], a union of [`Route`]s; [`Topic`] and the [`TopicPattern`] of a [`Grant`].
//! - Codes: [`ErrorCode`] and [`CloseCode`]. Claims of a token: [`JwtClaims`].
//! - The bodies of the HTTP API: [`PublishRequest`], [`Receipt`], [`Problem`]; its document: [`openapi()`].
//! - The list of all schemas: [`catalog()`].

mod activity;
mod api;
mod catalog;
mod claims;
mod client;
mod code;
mod connection;
mod contract;
mod disconnect;
mod envelope;
mod explain;
mod field_error;
mod history;
mod hooks;
mod id;
pub mod integer;
mod limits;
mod listing;
mod message;
mod open_words;
mod openapi;
mod presence;
mod publication;
mod query;
mod reason;
mod revocation;
mod server;
mod stats;
mod stream;
mod stream_pattern;
mod text;
mod time_span;
mod timestamp;
mod topic;
mod trace;
mod user_topics;

pub use activity::{ConnectionActivity, ConnectionSummary};
pub use api::{
    BatchRequest, BatchResponse, BatchResult, ConnectionInfo, ConnectionList, Problem, PublishRequest, Receipt,
    SubscriptionChange,
};
pub use catalog::{CatalogEntry, catalog};
pub use claims::JwtClaims;
pub use client::{Action, Command, CommandId};
pub use code::{CloseAdvice, CloseCode, ErrorCode};
pub use connection::{Connection, Origin, Subscription, TokenInfo};
pub use disconnect::{DisconnectRequest, Disconnected};
pub use envelope::{Envelope, Event};
pub use explain::{ExplainReason, ExplainRequest, ExplainedConnection, ExplainedMessage, Explanation};
pub use field_error::FieldError;
pub use history::{HistoryPage, HistoryQuery};
pub use hooks::{
    AccessAnswer, AccessHook, CallAnswer, CallError, CallHook, ConnectAnswer, ConnectHook, DisconnectHook, HookName,
};
pub use id::{ConnectionId, MessageId, NodeId, RevocationId};
pub use limits::ClientLimits;
pub use listing::{
    ConnectionPage, ConnectionQuery, Subscriber, SubscriberPage, SubscriberQuery, TopicHistory, TopicInfo, TopicPage,
    TopicQuery,
};
pub use message::{Audience, Message, Payload, Route};
pub use openapi::openapi;
pub use presence::{Presence, PresencePage, PresenceQuery, PresentUser};
pub use publication::Publication;
pub use query::{PingMode, QueryParams};
pub use reason::{GapReason, SubscribedReason, UnsubscribedReason};
pub use revocation::{Revocation, RevocationPage, RevocationQuery, RevocationRequest, Revoked};
pub use server::{
    Ack, BEARER_PROTOCOL, Closing, Control, ErrorReply, Gap, PROTOCOL, Ping, Reconnect, Subscribed, Unsubscribed,
    Welcome,
};
pub use stats::{BusiestQuery, BusiestTopics, NodeStats, TopicRate};
pub use stream::{Stream, StreamPosition};
pub use stream_pattern::StreamPattern;
pub use text::{CallName, ClientId, MessageType, Permission, RESERVED_TYPES, Role, UserId};
pub use time_span::TimeSpan;
pub use timestamp::Timestamp;
pub use topic::{Grant, GrantAction, Topic, TopicPattern};
pub use trace::{TraceEvent, TraceEventKind, TraceRequest};
pub use user_topics::{UserTopicChange, UserTopicList};
