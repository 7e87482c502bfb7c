//! Pages of histories for the application.

use realtime_schema::{FieldError, HistoryPage, HistoryQuery, Route, Stream, StreamPosition};

use crate::{
    node::Node,
    streams::{HistoryPart, PageRequest, PositionExpired},
};

/// Why a page of a history was not read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// No namespace with `history` covers the stream.
    #[error("the stream has no history: no namespace with `history` covers it")]
    NoHistory,
    /// The query is not valid.
    #[error("the query is not valid")]
    Invalid(FieldError),
    /// The position is of another epoch, or messages after it are no longer kept.
    #[error("the history does not have all that follows this position; the stream is at offset {} of epoch `{}`", position.offset, position.epoch)]
    PositionExpired {
        /// The position of the stream's last message.
        position: StreamPosition,
    },
}

/// One page of the history of a stream.
pub(crate) fn page(node: &Node, route: &Route, query: &HistoryQuery) -> Result<HistoryPage, HistoryError> {
    let stream = Stream::of(route).filter(|_| node.streams.has_history(route)).ok_or(HistoryError::NoHistory)?;
    let since = query.since().map_err(HistoryError::Invalid)?;
    let request = PageRequest { since, limit: query.limit, reverse: query.reverse, client: None };
    match node.streams.page(route, &request) {
        Ok(HistoryPart { position, publications, more }) => Ok(HistoryPage { stream, position, publications, more }),
        Err(PositionExpired { position }) => Err(HistoryError::PositionExpired { position }),
    }
}
