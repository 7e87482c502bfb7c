//! What a scenario is run on: the machine alone, or the whole client over real sockets.

use serde_json::Value;

/// What others see of a client.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: &'static str,
    pub(super) at: u64,
    pub(super) value: Value,
    pub(super) taken: bool,
}

/// Calls that a handler makes when an item is seen.
pub(super) struct Reaction {
    pub(super) kind: String,
    pub(super) pattern: Value,
    pub(super) calls: Vec<Value>,
}

pub(super) trait Scene {
    fn items(&mut self) -> &mut Vec<Item>;
    /// Commands that the server has received and not replied to, oldest first.
    fn unanswered(&mut self) -> &mut Vec<Value>;
    fn reactions(&mut self) -> &mut Vec<Reaction>;
    fn now(&self) -> u64;
    fn next_due(&self) -> Option<u64>;
    fn advance_to(&mut self, time: u64);
    /// The process stands still.
    fn sleep(&mut self, ms: u64);
    fn set_random(&mut self, random: f64);
    /// A call of the application.
    fn call(&mut self, name: &str, args: &Value);
    /// The token provider's result for its oldest request.
    fn provide(&mut self, token: &Value);
    fn device(&mut self, signal: &str);
    fn dials(&self) -> usize;
    /// The server accepts the handshake of a socket, counted from 1.
    fn open(&mut self, socket: usize);
    fn send(&mut self, socket: usize, text: &str);
    fn close(&mut self, socket: usize, code: u16, reason: &str);
    /// Everything that is on its way has arrived.
    fn quiet(&mut self);

    fn calls(&mut self, call: &Value) {
        match call {
            Value::String(name) => self.call(name, &Value::Null),
            Value::Object(calls) => calls.iter().for_each(|(name, args)| self.call(name, args)),
            _ => panic!("not a call: {call}"),
        }
    }

    fn react(&mut self, on: &Value, calls: &Value) {
        let (kind, pattern) = on.as_object().and_then(|on| on.iter().next()).expect("one item");
        let calls = calls.as_array().cloned().unwrap_or_else(|| vec![calls.clone()]);
        self.reactions().push(Reaction { kind: kind.clone(), pattern: pattern.clone(), calls });
    }

    fn record(&mut self, kind: &'static str, value: Value) {
        let fits = |it: &Reaction| it.kind == kind && super::pattern::difference(&it.pattern, Some(&value)).is_none();
        let due: Vec<_> = self.reactions().extract_if(.., |it| fits(it)).collect();
        let at = self.now();
        self.items().push(Item { kind, at, value, taken: false });
        for reaction in due {
            reaction.calls.iter().for_each(|call| self.calls(call));
        }
    }
}
