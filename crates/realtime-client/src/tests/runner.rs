//! Runs a scenario file, step by step. The format is described in tests/scenarios/README.md.

use serde_json::{Value, json};

use super::{
    pattern::difference,
    scene::{Item, Scene},
};

const TIME: &str = "2026-11-23T13:00:00.123Z";
const STEP: [&str; 16] = [
    "at", "after", "sleep", "random", "client", "on", "do", "token", "device", "server", "socket", "expect", "within",
    "between", "never", "for",
];

/// The lane of a kind, and whether it is strict.
fn lane(kind: &str) -> (&str, bool) {
    match kind {
        "message" | "gap" => ("delivery", true),
        "token" | "dial" | "send" | "settle" | "load" => (kind, true),
        "drop" | "state" | "subscription" | "error" => (kind, false),
        _ => panic!("unknown item {kind}"),
    }
}

pub(super) struct Runner<'a, S> {
    scenario: &'a Value,
    subject: S,
    messages: u64,
}

/// The one name and value of an object.
fn only(value: &Value) -> (&str, &Value) {
    let fields =
        value.as_object().filter(|fields| fields.len() == 1).unwrap_or_else(|| panic!("not one item: {value}"));
    fields.iter().next().map(|(name, value)| (name.as_str(), value)).expect("one field")
}

fn frame(kind: &str, payload: &Value) -> String {
    json!({"type": kind, "payload": payload, "timestamp": TIME}).to_string()
}

impl<'a, S: Scene> Runner<'a, S> {
    pub(super) fn new(scenario: &'a Value, subject: S) -> Self {
        Self { scenario, subject, messages: 0 }
    }

    /// Runs all steps; the error has the step, and all that was seen.
    pub(super) fn run(mut self) -> Result<(), String> {
        for (i, step) in self.scenario["steps"].as_array().expect("steps").iter().enumerate() {
            let result = self.step(step);
            result.map_err(|error| format!("step {} {step}: {error}\n{}", i + 1, self.transcript()))?;
        }
        let handed = self.scenario.get("token").is_some();
        let left = |kind: &str| lane(kind).1 && !(kind == "token" && handed);
        let left = self.subject.items().iter().find(|item| !item.taken && left(item.kind));
        match left.map(|item| format!("not expected: {} {}", item.kind, item.value)) {
            Some(left) => Err(format!("{left}\n{}", self.transcript())),
            None => Ok(()),
        }
    }

    fn step(&mut self, step: &Value) -> Result<(), String> {
        let fields = step.as_object().ok_or("a step is an object")?;
        if let Some(unknown) = fields.keys().find(|name| !STEP.contains(&name.as_str())) {
            return Err(format!("unknown field {unknown}"));
        }
        let time = |name: &str| step[name].as_u64();
        let from = self.subject.items().len();
        if let Some(at) = time("at") {
            self.subject.advance_to(at);
        }
        if let Some(after) = time("after") {
            self.subject.advance_to(self.subject.now() + after);
        }
        if let Some(ms) = time("sleep") {
            self.subject.sleep(ms);
        }
        if let Some(random) = step["random"].as_f64() {
            self.subject.set_random(random);
        }
        if let Some(call) = fields.get("client") {
            self.subject.calls(call);
        }
        if let Some(on) = fields.get("on") {
            self.subject.react(on, &step["do"]);
        }
        if let Some(token) = fields.get("token") {
            self.subject.provide(token);
        }
        if let Some(signal) = fields.get("device") {
            self.subject.device(signal.as_str().unwrap_or_default());
        }
        if let Some(action) = fields.get("server") {
            let socket = step["socket"].as_u64().map_or(self.subject.dials(), |socket| socket as usize);
            self.server(action, socket)?;
        }
        self.subject.quiet();
        match fields.get("expect") {
            Some(Value::Array(all)) => all.iter().try_for_each(|expected| self.expect(expected, step))?,
            Some(expected) => self.expect(expected, step)?,
            None => {}
        }
        match fields.get("never") {
            Some(pattern) => self.never(pattern, time("for").ok_or("never needs for")?, from),
            None => Ok(()),
        }
    }

    fn server(&mut self, action: &Value, socket: usize) -> Result<(), String> {
        match action.as_str() {
            Some("open") => {
                self.subject.open(socket);
                return Ok(());
            }
            Some("cut") => {
                self.subject.close(socket, 1006, "");
                return Ok(());
            }
            Some(_) => return Err(format!("unknown action {action}")),
            None => {}
        }
        let (verb, args) = only(action);
        match verb {
            "accept" => {
                self.subject.open(socket);
                self.subject.send(socket, &frame("welcome", &self.welcome(socket, args)));
            }
            "send" => {
                let mut sent = json!({"timestamp": TIME});
                merge(&mut sent, args);
                self.subject.send(socket, &sent.to_string());
            }
            "message" => {
                let publication = self.publication(args);
                self.subject.send(socket, &publication.to_string());
            }
            "gap" | "closing" | "subscribed" | "unsubscribed" => self.subject.send(socket, &frame(verb, args)),
            "close" => {
                let code = args["code"].as_u64().ok_or("a close has a code")? as u16;
                self.subject.close(socket, code, args["reason"].as_str().unwrap_or_default());
            }
            "reply" => self.reply(args, socket)?,
            _ => return Err(format!("the server has no verb {verb}")),
        }
        Ok(())
    }

    /// Replies to the oldest command that the pattern fits.
    fn reply(&mut self, args: &Value, socket: usize) -> Result<(), String> {
        let waiting = self.subject.unanswered();
        let found = waiting.iter().position(|command| difference(&args["to"], Some(command)).is_none());
        let found = found.ok_or_else(|| format!("no such command waits for a reply; these do: {waiting:?}"))?;
        let mut payload = json!({"id": waiting.remove(found)["id"]});
        let kind = match args.get("error") {
            Some(error) => {
                merge(&mut payload, &refusal(error["code"].as_str().unwrap_or_default()));
                merge(&mut payload, error);
                "error"
            }
            None => {
                merge(&mut payload, &args["ack"]);
                "ack"
            }
        };
        self.subject.send(socket, &frame(kind, &payload));
        Ok(())
    }

    fn welcome(&self, socket: usize, overrides: &Value) -> Value {
        let client = self.scenario["options"]["client"].as_str().unwrap_or("tab-1");
        let mut fields = json!({
            "connection": format!("connection-{socket}"), "user": "alice", "roles": [], "client": client,
            "protocol": "realtime.v1", "features": ["history"], "server": "realtime/0.1.0", "time": TIME,
            "ping_ms": 25_000, "reconnect": {"min_ms": 250, "max_ms": 30_000, "spread_ms": 1_000},
            "limits": {"burst": 100, "subscriptions": 100}, "streams": {}, "resumed": false,
            "resume": format!("ticket-{socket}"),
        });
        merge(&mut fields, overrides);
        let fields = fields.as_object_mut().expect("an object");
        fields.retain(|_, value| value.get("$absent").is_none());
        Value::Object(std::mem::take(fields))
    }

    fn publication(&mut self, args: &Value) -> Value {
        self.messages += 1;
        let id = format!("019ab1c2-7b1e-7c3a-9d54-{:012}", self.messages);
        let mut message = json!({"type": "news", "payload": args.get("offset"), "timestamp": TIME, "id": id});
        if let (Some(topic), Some(_)) = (args["topic"].as_str(), args.get("offset")) {
            message["stream"] = json!(format!("topic:{topic}"));
        }
        merge(&mut message, args);
        message
    }

    fn expect(&mut self, expected: &Value, step: &Value) -> Result<(), String> {
        let (kind, pattern) = only(expected);
        let until = self.subject.now() + step["within"].as_u64().unwrap_or(0);
        loop {
            if let Some(at) = self.find(kind, pattern)? {
                let bound = |i: usize| step["between"][i].as_u64();
                if bound(0).is_some_and(|from| at < from) || bound(1).is_some_and(|to| at > to) {
                    return Err(format!("it came at {at}"));
                }
                return Ok(());
            }
            match self.subject.next_due().filter(|due| *due <= until) {
                Some(due) => self.subject.advance_to(due),
                None => return Err(format!("there is no such {kind}")),
            }
            self.subject.quiet();
        }
    }

    /// Takes the next item of the lane, in a loose lane the next that fits; returns its time.
    fn find(&mut self, kind: &str, pattern: &Value) -> Result<Option<u64>, String> {
        let (name, strict) = lane(kind);
        for item in self.subject.items().iter_mut().filter(|item| !item.taken && lane(item.kind).0 == name) {
            let wrong = match item.kind == kind {
                true => difference(pattern, Some(&item.value)),
                false => Some(format!("the next is a {}", item.kind)),
            };
            match wrong {
                None => {
                    item.taken = true;
                    return Ok(Some(item.at));
                }
                Some(wrong) if strict => return Err(wrong),
                Some(_) => {}
            }
        }
        Ok(None)
    }

    /// Since the beginning of the step, without what it expects.
    fn never(&mut self, pattern: &Value, ms: u64, from: usize) -> Result<(), String> {
        self.subject.advance_to(self.subject.now() + ms);
        let (kind, pattern) = only(pattern);
        let fits = |it: &&Item| it.kind == kind && !it.taken && difference(pattern, Some(&it.value)).is_none();
        match self.subject.items()[from..].iter().find(fits) {
            Some(item) => Err(format!("at {} there is {}", item.at, item.value)),
            None => Ok(()),
        }
    }

    fn transcript(&mut self) -> String {
        let shown = |item: &Item| {
            format!("  {} {:>6} {} {}", if item.taken { ' ' } else { '?' }, item.at, item.kind, item.value)
        };
        self.subject.items().iter().map(shown).collect::<Vec<_>>().join("\n")
    }
}

/// Sets the fields of `more`.
fn merge(value: &mut Value, more: &Value) {
    if let (Value::Object(value), Value::Object(more)) = (value, more) {
        value.extend(more.iter().map(|(name, field)| (name.clone(), field.clone())));
    }
}

fn refusal(code: &str) -> Value {
    let (status, retry) = match code {
        "forbidden" => (403, false),
        "rate_limited" => (429, true),
        "unavailable" => (503, true),
        "unauthorized" => (401, false),
        "bad_request" => (400, false),
        "conflict" => (409, false),
        _ => return json!({}),
    };
    json!({"status": status, "retry": retry, "message": code})
}
