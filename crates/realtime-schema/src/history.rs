//! History: the query and the page of a stream's kept messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    field_error::FieldError,
    integer,
    publication::Publication,
    stream::{Stream, StreamPosition},
    topic::Topic,
};

/// The query of a page of history.
///
/// The page has the messages after a position, oldest first, or those before it, newest first. Without a position it
/// begins at the oldest message that is kept, or at the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = HistoryQuery { epoch: Some("k3f".into()), offset: Some(17), ..HistoryQuery::default() })]
pub struct HistoryQuery {
    /// The epoch of the position, as in an earlier response. Required with `offset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The offset of the position: of the last message of the previous page. Required with `epoch`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "integer::optional")]
    pub offset: Option<u64>,
    /// The most messages on the page, never more than the server's `history.page`. 0 returns the position alone.
    #[serde(default = "default_limit", deserialize_with = "integer::required")]
    pub limit: u32,
    /// From the newest message to the oldest.
    #[serde(default)]
    pub reverse: bool,
}

fn default_limit() -> u32 {
    HistoryQuery::DEFAULT_LIMIT
}

impl Default for HistoryQuery {
    /// The oldest 100 messages.
    fn default() -> Self {
        Self { epoch: None, offset: None, limit: default_limit(), reverse: false }
    }
}

impl HistoryQuery {
    /// The most messages on a page of a query that names no limit.
    pub const DEFAULT_LIMIT: u32 = 100;

    /// The position where the page begins.
    ///
    /// # Errors
    /// One of `epoch` and `offset` is given without the other.
    pub fn since(&self) -> Result<Option<StreamPosition>, FieldError> {
        match (&self.epoch, self.offset) {
            (None, None) => Ok(None),
            (Some(epoch), Some(offset)) => Ok(Some(StreamPosition { epoch: epoch.clone(), offset })),
            (None, Some(_)) => Err(FieldError::new("epoch", "is missing; give it with `offset`, or neither")),
            (Some(_), None) => Err(FieldError::new("offset", "is missing; give it with `epoch`, or neither")),
        }
    }
}

/// One page of a stream's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(example = HistoryPage::example())]
pub struct HistoryPage {
    /// The stream.
    pub stream: Stream,
    /// The stream's current position: of its newest message, kept or not.
    pub position: StreamPosition,
    /// The messages, as the frames that were sent: oldest first, or newest first with `reverse`.
    pub publications: Vec<Publication>,
    /// Whether there are more in this direction. The next page begins at the offset of the last message of this one.
    pub more: bool,
}

impl HistoryPage {
    fn example() -> Self {
        Self {
            stream: Stream::Topic(Topic::new("order:123").expect("a topic")),
            position: StreamPosition { epoch: "k3f".into(), offset: 17 },
            publications: vec![Publication::example()],
            more: false,
        }
    }
}
