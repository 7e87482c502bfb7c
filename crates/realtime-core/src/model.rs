//! The reference model of routing, without shards and locks. The indexes of an adapter must return the same results.
//!
//! Production code uses the parts ([`ConnectionTable`](crate::registry::ConnectionTable),
//! [`TopicTable`](crate::pubsub::TopicTable), [`ListenerIndex`](crate::listeners::ListenerIndex)) behind locks of its
//! own, and finds recipients by index. Only tests, simulations and examples use this module, which does the same in the
//! simplest way.

pub use crate::{
    message::{filter, is_for},
    pubsub::SubscriptionTable,
    registry::Registry,
};
