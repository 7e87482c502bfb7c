//! Pages of a history, for the `history` command and the HTTP API.

use realtime_core::{Frame, epoch::Epoch, outbound::PageLimits};
use realtime_schema::{ClientId, Publication, Route, StreamPosition};

use super::Streams;

/// What a page of a history is asked for.
#[derive(Clone, Debug)]
pub(crate) struct PageRequest {
    pub(crate) since: Option<StreamPosition>,
    /// Never more than `history.page`. A page ends at `history.page_bytes` too.
    pub(crate) limit: u32,
    pub(crate) reverse: bool,
    /// The client that asks: it is left out of the messages that exclude it, as in live delivery.
    pub(crate) client: Option<ClientId>,
}

/// One page of a history.
#[derive(Clone, Debug)]
pub(crate) struct HistoryPart {
    /// The position of the stream's last message.
    pub(crate) position: StreamPosition,
    pub(crate) publications: Vec<Publication>,
    /// There are more messages in this direction.
    pub(crate) more: bool,
}

/// The position can't be used: it belongs to another epoch, or messages after it are no longer kept.
#[derive(Clone, Debug)]
pub(crate) struct PositionExpired {
    /// The position of the stream's last message.
    pub(crate) position: StreamPosition,
}

impl Streams {
    /// One page of a stream's history. A stream without a message has an empty one. With a limit of 0 the position alone
    /// is returned.
    pub(crate) fn page(&self, route: &Route, request: &PageRequest) -> Result<HistoryPart, PositionExpired> {
        let limits = {
            let settings = self.settings.load();
            let bytes = usize::try_from(settings.history.page_bytes).unwrap_or(usize::MAX);
            PageLimits { messages: request.limit.min(settings.history.page) as usize, bytes }
        };
        let (position, frames, more) = self.read(route, |log| {
            let position = log.position();
            let next = match &request.since {
                Some(since) if Epoch::parse(&since.epoch) != Some(log.epoch()) => {
                    return Err(PositionExpired { position });
                }
                Some(since) if !request.reverse && (since.offset < log.floor() || since.offset > log.top()) => {
                    return Err(PositionExpired { position });
                }
                Some(since) => Some(since.offset),
                None => None,
            };
            if limits.messages == 0 {
                return Ok((position, Vec::new(), false));
            }
            let is_for = |frame: &&Frame| frame.is_for(request.client.as_ref());
            let (frames, more) = if request.reverse {
                take(log.before(next.unwrap_or(u64::MAX)).rev().filter(is_for), limits)
            } else {
                take(log.from(next.map_or(0, |offset| offset + 1)).filter(is_for), limits)
            };
            Ok((position, frames, more))
        })?;
        // Outside the lock: the texts are copied.
        let texts = frames.iter().flat_map(Frame::texts);
        let publications = texts.filter_map(|text| Publication::from_text(text.to_owned()).ok()).collect();
        Ok(HistoryPart { position, publications, more })
    }
}

/// The first frames, within the limits, and whether there are more.
fn take<'a>(frames: impl Iterator<Item = &'a Frame>, limits: PageLimits) -> (Vec<Frame>, bool) {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for frame in frames {
        bytes += frame.text_len();
        if page.len() == limits.messages || (bytes > limits.bytes && !page.is_empty()) {
            return (page, true);
        }
        page.push(frame.clone());
    }
    (page, false)
}
