//! The end of a connection on its socket.

use realtime_ports::Socket;
use realtime_schema::{CloseCode, Closing, Control};
use tokio::time::timeout;

use crate::node::Node;

/// How a connection came to its end.
pub(super) enum End {
    /// This node closes it.
    Ours(Box<Closing>),
    /// The peer closed it.
    Theirs(Option<CloseCode>),
    /// The transport is gone, or stuck with a half-written frame.
    Gone,
}

impl End {
    /// The reason of a close by this node, for a person.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Ours(closing) => Some(&closing.reason),
            Self::Theirs(_) | Self::Gone => None,
        }
    }

    /// Who or what ended the connection, for the log.
    pub(super) fn by(&self) -> &'static str {
        match self {
            Self::Ours(_) => "server",
            Self::Theirs(_) => "client",
            Self::Gone => "network",
        }
    }
}

/// Sends `closing`, closes, and waits for the peer to close too. Returns the code of the close, if there was one.
///
/// A reader that was slow has `write_timeout` to take the `closing` frame, as it has for any other.
pub(super) async fn close<S: Socket>(node: &Node, socket: &mut S, end: End) -> Option<CloseCode> {
    let liveness = node.settings.load().liveness.clone();
    match end {
        End::Gone => None,
        End::Theirs(code) => {
            let echoed = code.filter(|code| code.0 != 1005).unwrap_or(CloseCode::NORMAL);
            socket.close(echoed, "", liveness.close_timeout).await;
            code
        }
        End::Ours(closing) => {
            let frame = node.control.encode(&Control::Closing((*closing).clone()));
            if let Ok(Ok(())) = timeout(liveness.write_timeout, socket.send_closing(&closing, frame)).await {
                socket.close(closing.code, &closing.reason, liveness.close_timeout).await;
            }
            Some(closing.code)
        }
    }
}
