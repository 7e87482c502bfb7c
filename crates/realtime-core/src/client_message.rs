//! A text message of a client, as the application's hook gets it, and what the hook returns.

use std::fmt;

use realtime_schema::{Action, Command, CommandId, ErrorCode, ErrorReply, Payload};
use serde::{Serialize, de::DeserializeOwned};

use crate::codec::{DecodeError, decode, id_of};

/// A text message of a client: the text, and the decoded command.
#[derive(Clone, PartialEq)]
pub struct ClientMessage {
    text: String,
    decoded: Result<Command, DecodeError>,
}

impl ClientMessage {
    /// Decodes `text`. A text that is not a command is kept too: [`Self::command`] is `None` for it.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { decoded: decode(&text), text }
    }

    /// The text as the client sent it. It may contain a secret: a `refresh` carries a token.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The command; `None` for a text that is not a command of the protocol.
    pub fn command(&self) -> Option<&Command> {
        self.decoded.as_ref().ok()
    }

    /// The call of the application, if the command is `call`.
    pub fn call(&self) -> Option<Call<'_>> {
        match &self.command()?.action {
            Action::Call { name, payload } => {
                Some(Call { name: name.as_ref().map(AsRef::as_ref), payload: payload.as_ref() })
            }
            _ => None,
        }
    }

    /// The id for the reply, of a refused command too. Without one the client expects no reply.
    pub fn id(&self) -> Option<&CommandId> {
        id_of(&self.decoded)
    }

    /// The command, or the error of a text that is not a command.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn into_decoded(self) -> Result<Command, DecodeError> {
        self.decoded
    }
}

impl fmt::Debug for ClientMessage {
    // Without the text, which may contain a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientMessage").field("bytes", &self.text.len()).field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A command of the application's own, which a client sent with `call`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The name of the application's command, if the client gave one.
    pub name: Option<&'a str>,
    /// The payload; `None` if it is absent or `null`.
    pub payload: Option<&'a Payload>,
}

impl Call<'_> {
    /// Reads the payload as a `T`; a call without a payload reads as `null`.
    ///
    /// # Errors
    /// The payload is not of this type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.payload.map_or_else(|| serde_json::from_str("null"), Payload::read)
    }
}

/// The result of the application's hook for a client's message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Handled {
    /// The hook does not reply: the session handles the message as without a hook.
    Pass,
    /// The hook carried out the command. The client receives an `ack` with this `result`; the session ignores
    /// the message.
    Ack(Payload),
    /// The hook refused the command. The client receives this `error` with its id; the session ignores the message.
    Error(Box<ErrorReply>),
}

impl Handled {
    /// An `ack` with `result`.
    ///
    /// # Errors
    /// `result` can't be written as JSON.
    pub fn ack(result: &impl Serialize) -> Result<Self, serde_json::Error> {
        Payload::of(result).map(Self::Ack)
    }

    /// An `error` with the code's own status and advice; `message` says what to do about it.
    pub fn error(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Error(Box::new(ErrorReply::new(None, code, message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_reads_the_text_as_it_was_sent_and_no_log_shows_it() {
        let text = r#"{"action":"refresh", "id":7,"token":"s3cret"}"#;
        let message = ClientMessage::new(text);
        assert_eq!(message.text(), text);
        let shown = format!("{message:?}");
        assert!(shown.contains("bytes: 45") && shown.contains("Number(7)"), "{shown}");
        assert!(!shown.contains("s3cret") && !shown.contains("token"), "{shown}");
    }

    #[test]
    fn the_payload_of_a_call_is_read_as_the_applications_type_and_its_absence_as_null() {
        let read = |text: &str| {
            let message = ClientMessage::new(text);
            let read = message.call().expect("a call").read::<Option<u8>>();
            read.map_err(|error| error.is_data())
        };
        assert_eq!(read(r#"{"action":"call","payload":5}"#), Ok(Some(5)));
        assert_eq!(read(r#"{"action":"call"}"#), Ok(None));
        assert_eq!(read(r#"{"action":"call","payload":"five"}"#), Err(true));
    }
}
