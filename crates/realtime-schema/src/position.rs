//! Streams and positions in them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in a stream: offsets rise by one within an epoch; a new epoch says that the log was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `epoch` and `offset`")]
#[schemars(example = StreamPosition { epoch: "k3f".into(), offset: 17 })]
pub struct StreamPosition {
    /// Names one life of the log.
    pub epoch: String,
    /// Counts the messages of that life, from 1.
    pub offset: u64,
}
