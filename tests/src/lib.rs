//! The harness of the stories: a world with a server, clients that check every frame they get, tokens
//! of every kind, and tools that this machine may lack.

mod browser;
mod bundle;
mod client;
mod history;
mod keys;
mod logs;
mod need;
mod proxy;
mod relay;
mod schemas;
mod world;

pub use browser::{Browser, Tab};
pub use bundle::typescript_client;
pub use client::{Client, DEADLINE, Refusal};
pub use history::{kept, offsets, publish_kept};
pub use keys::{Issuer, Kind};
pub use logs::Logs;
pub use need::{program, skip};
pub use proxy::{Certificate, Proxy, TlsClient};
pub use relay::Relay;
pub use schemas::{Schemas, schemas};
pub use world::{Answer, World};
