//! Effects of the machine.

use std::time::Duration;

use serde_json::Value;
use tokio::{sync::mpsc::error::TrySendError, time::Instant};

use super::{Done, Driver};
use crate::{
    machine::{Effect, Event, LoadReason, TokenReason},
    options::load_error,
    socket::Dial,
};

impl Driver {
    pub(super) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::AskToken { request, reason } => self.ask_token(request, reason),
            Effect::Dial { n, protocols, query } => {
                let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
                let url = &self.settings.url;
                let joint = if url.contains('?') { '&' } else { '?' };
                let dial = Dial { url: format!("{url}{joint}{query}"), protocols, tls: self.settings.tls.clone() };
                let (socket, task) = self.outside.connect(n, dial, self.settings.frames);
                self.parts.socket = Some(socket);
                self.parts.sockets.spawn(task);
            }
            Effect::Send { n, command } => {
                let text = Value::Object(command).to_string();
                let socket = self.parts.socket.as_ref().filter(|socket| socket.n == n);
                if let Some(Err(TrySendError::Full(_))) = socket.map(|socket| socket.out.try_send(text)) {
                    self.parts.full = Some(n);
                }
            }
            Effect::Drop { .. } => self.parts.socket = None,
            Effect::Arm { timer, key, ms } => {
                _ = self.parts.timers.insert(timer, (Instant::now() + Duration::from_millis(ms), key));
            }
            Effect::Disarm(timer) => _ = self.parts.timers.remove(&timer),
            Effect::Settle { reference, result } => {
                if let Some(reply) = self.parts.results.remove(&reference) {
                    // A caller that has gone wants no result.
                    _ = reply.send(result);
                }
            }
            Effect::Load { topic, generation, reason } => self.load(topic, generation, reason),
            Effect::Emit(emission) => self.parts.outbox.push_back(emission),
        }
    }

    fn ask_token(&mut self, request: u64, reason: TokenReason) {
        if let Some(older) = self.parts.asking.take() {
            older.abort();
        }
        let provider = self.token.clone();
        // Called inside of the task: if it panics, that is the end of this task alone.
        let asking = self.parts.requests.spawn(async move {
            Done::Event(match provider.ask(reason).await {
                Ok(token) => Event::Token { request, token },
                Err(message) => Event::TokenFailed { request, message },
            })
        });
        self.parts.asking = Some(asking);
    }

    fn load(&mut self, topic: String, generation: u64, reason: LoadReason) {
        let handle = self.parts.handles.values().find(|handle| handle.topic == topic && handle.options.load.is_some());
        let load = handle.and_then(|handle| handle.options.load.clone());
        self.parts.requests.spawn(async move {
            let Some(load) = load else { return Done::Event(Event::Loaded { topic, generation, position: None }) };
            // A loader that panics has failed: it is called again, later.
            let loaded = tokio::spawn(async move { load(reason).await }).await;
            Done::Event(
                match loaded.unwrap_or_else(|_| Err(load_error(&"the function that loads the state panicked"))) {
                    Ok(position) => Event::Loaded { topic, generation, position },
                    Err(error) => Event::LoadFailed { topic, generation, error },
                },
            )
        });
    }
}
