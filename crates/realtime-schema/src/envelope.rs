//! Node → node: a message on its way to the nodes whose connections it is for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{id::NodeId, message::Message};

/// A message between nodes. Unknown fields are ignored and unknown versions skipped, so that two releases can share a broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = Envelope::example())]
pub struct Envelope {
    /// Version of this form: [`Envelope::VERSION`].
    pub v: u32,
    /// The node that published it.
    pub node: NodeId,
    /// The message, with its routes.
    pub message: Message,
}

impl Envelope {
    /// The version that this release writes.
    pub const VERSION: u32 = 1;

    /// `message`, as `node` hands it on.
    pub fn new(node: NodeId, message: Message) -> Self {
        Self { v: Self::VERSION, node, message }
    }

    pub(crate) fn example() -> Self {
        Self::new("019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d90".parse().expect("an id"), Message::example())
    }
}
