//! Payloads as types of the application.

use std::{
    any::type_name,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{Stream, StreamExt};
use realtime_schema::FieldError;
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;

use crate::{
    delivery::{Delivery, Listener},
    machine::{Failure, Message, failure},
};

/// A message whose payload fits its type.
#[derive(Clone, Debug)]
pub struct TypedMessage<T> {
    /// The payload.
    pub payload: T,
    /// The message as it came.
    pub message: Message,
}

/// A stream of the messages of one type: see [`Client::on`](crate::Client::on).
#[derive(Debug)]
pub struct Typed<T> {
    pub(crate) listener: Listener,
    pub(crate) errors: broadcast::Sender<Failure>,
    pub(crate) payload: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Typed<T> {
    /// The next message. One whose payload does not fit is left out, and reported by
    /// [`Client::errors`](crate::Client::errors). `None` after the client has ended.
    pub async fn next(&mut self) -> Option<TypedMessage<T>> {
        StreamExt::next(self).await
    }
}

impl<T: DeserializeOwned> Stream for Typed<T> {
    type Item = TypedMessage<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.listener.deliveries.poll_recv(context)) {
                None => return Poll::Ready(None),
                Some(Delivery::Gap(_)) => {}
                Some(Delivery::Message(message)) => match message.decode() {
                    Ok(payload) => return Poll::Ready(Some(TypedMessage { payload, message })),
                    // Without a receiver nobody wants the error.
                    Err(error) => _ = self.errors.send(error),
                },
            }
        }
    }
}

impl Message {
    /// The payload as a type of the application.
    ///
    /// # Errors
    /// It does not fit (`bad_payload`): `errors` has the JSON pointer and what was expected there, never the value.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let mut deserializer = serde_json::Deserializer::from_str(self.payload.get());
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let (path, text) = (pointer(error.path()), error.inner().to_string());
            // Before it stands what was found: the value.
            let reason = text.find(", expected ").map_or(text.as_str(), |at| &text[at + 2..]);
            let own = type_name::<T>().rsplit("::").next().unwrap_or_default();
            let topic = self.topic.as_deref().or(self.stream.as_deref()).unwrap_or("a message without a topic");
            let message =
                format!("the payload of `{}` on {topic} does not fit `{own}` at `{path}`: {reason}", self.kind);
            let errors = vec![FieldError { path, message: reason.to_owned() }];
            Failure { errors, ..failure("bad_payload", message, false) }
        })
    }
}

/// A path as a JSON pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}
