//! What routing means, without shards and locks: the model that the indexes of an adapter must agree with.
//!
//! Production code uses the parts ([`ConnectionTable`](crate::registry::ConnectionTable),
//! [`TopicTable`](crate::pubsub::TopicTable), [`ListenerIndex`](crate::listeners::ListenerIndex)) behind locks of its
//! own, and finds recipients by index. Nothing but tests, simulations and examples calls what is gathered here: it
//! says the same in the plainest way.

pub use crate::{
    message::{filter, is_for},
    pubsub::SubscriptionTable,
    registry::Registry,
};
