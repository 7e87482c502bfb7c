//! What a payload must look like: the application's contract, checked before a message is published.

use realtime_schema::{Audience, FieldError, MessageType, Payload};

/// Decides whether a message fits the contract of its streams. Warm: called once for each publication, whichever its
/// source (HTTP, batch, client, library), before it is stored or sent; never per delivery. Must not block.
///
/// The cost is bounded for every payload that is valid JSON, however it was made. A stream without rules costs a look-up:
/// its payload is not parsed.
///
/// - A message to one stream must fit the rules of that stream.
/// - A message to a union of routes must fit the rules of every one of its streams.
/// - A route to a single connection is no stream, and has no rules: see [`Stream`](realtime_schema::Stream).
/// - Messages that other nodes published were checked there.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait PayloadRules: Send + Sync {
    /// Whether a message of type `kind` with this payload may be published to `to`. Equal arguments have equal results.
    ///
    /// # Errors
    /// What does not fit, 1 to [`MAX_PAYLOAD_ERRORS`] errors. Their paths are those of a publish request: `/type` if the
    /// streams do not have the type, else `/payload` or a pointer below it, such as `/payload/total`. A message never
    /// contains a value of the payload. The caller refuses the request with `payload_invalid` (422).
    fn check(&self, to: &Audience, kind: &MessageType, payload: &Payload) -> Result<(), Vec<FieldError>>;
}

/// The most errors that one check returns.
pub const MAX_PAYLOAD_ERRORS: usize = 16;

/// No rules: every payload of every type fits. What a service has unless it is given others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnyPayload;

impl PayloadRules for AnyPayload {
    fn check(&self, _: &Audience, _: &MessageType, _: &Payload) -> Result<(), Vec<FieldError>> {
        Ok(())
    }
}
