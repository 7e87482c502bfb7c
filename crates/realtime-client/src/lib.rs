//! A client of [`realtime.v1`](https://github.com/realtime-rs/realtime/blob/main/docs/protocol.md): it reconnects, asks
//! for tokens, continues every stream where it stopped, and reports each loss as a gap.
//!
//! ```no_run
//! use realtime_client::{Client, ClientOptions, Delivery, TokenProvider};
//!
//! # async fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = TokenProvider::new(|_reason| async { token().await.map(Some) });
//! let client = Client::connect(ClientOptions::new("wss://example.com/ws", provider))?;
//!
//! let mut order = client.subscribe("order:123").await?;
//! order.ready().await?; // the server has subscribed this client
//! client.publish("order:123", "note", &serde_json::json!({"text": "hello"})).await?;
//! while let Some(delivery) = order.next().await {
//!     match delivery {
//!         Delivery::Message(message) => println!("{}: {}", message.kind, message.payload),
//!         Delivery::Gap(gap) => println!("lost ({}): load the state again", gap.reason),
//!     }
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! - **Tokens.** The provider is asked before every attempt, and before a token expires; a refused token is replaced
//!   once. The token travels as a subprotocol, never in the URL.
//! - **Order.** A message comes once, and in the order of its stream; what is lost is a [`Gap`] in its place.
//! - **Publications** wait while there is no connection, in a bounded queue, and are published once.
//! - **Bounds.** Every queue is bounded. While a reader has no room, the client reads nothing from the server, which then
//!   applies its own rules for slow clients: read each [`Subscription`] and [`Listener`], or drop it.
//! - **Ends.** [`Client::close`] waits for the close handshake. When the last [`Client`] is dropped, its task ends.
//!
//! The decisions are those of one pure state machine, [`machine`], which the TypeScript client has too; one set of
//! scenarios, `tests/scenarios`, runs on both.

mod client;
mod delivery;
mod driver;
pub mod machine;
mod options;
mod outside;
mod presence;
mod socket;
#[cfg(test)]
mod tests;
mod typed;

pub use client::Client;
pub use delivery::{Delivery, Listener, Subscription};
pub use machine::{ConnectionPhase, ConnectionState, Failure, Gap, Message, Position, Session, SubscriptionStatus};
pub use options::{
    ClientOptions, HistoryOptions, HistoryPage, PublishOptions, Published, Ready, SubscribeOptions, TokenProvider,
};
pub use presence::{Presence, PresenceChange, PresenceUser, PresenceUsers};
pub use typed::{Typed, TypedMessage};
