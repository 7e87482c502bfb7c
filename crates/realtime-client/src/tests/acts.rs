//! What happens in a random schedule.

use serde_json::json;

use super::{
    model::{OWN, TOPICS},
    world::World,
};
use crate::machine::Event;

const ACTS: [&str; 18] = [
    "publish",
    "publish",
    "publish",
    "publish",
    "subscribe",
    "unsubscribe",
    "cut",
    "close",
    "kill",
    "device",
    "send",
    "send",
    "stop",
    "role",
    "sleep",
    "again",
    "forget",
    "refresh",
];

impl World {
    /// One random event of the application, the server, the network or the device.
    pub(super) fn act(&mut self) {
        let act = *self.random.pick(&ACTS);
        self.count(act);
        match act {
            "publish" => {
                for _ in 0..=self.random.below(8) {
                    let stream = match self.random.below(6) as usize {
                        i if i < 3 => format!("topic:{}", TOPICS[i]),
                        i => OWN[i - 3].to_owned(),
                    };
                    let out = self.server.publish(&mut self.random, &stream);
                    self.transmit(out);
                }
            }
            "subscribe" => {
                let topic = *self.random.pick(&TOPICS);
                self.subscribe(topic);
            }
            "unsubscribe" => {
                let topic = *self.random.pick(&TOPICS);
                self.unsubscribe(topic);
            }
            "again" => {
                let topic = *self.random.pick(&TOPICS);
                if self.counted.get(topic).is_some_and(|count| *count > 0) {
                    self.unsubscribe(topic);
                    self.subscribe(topic);
                }
            }
            "cut" => {
                for link in 0..self.links.len() {
                    if self.links[link].open && self.random.chance(0.7) {
                        self.cut(link, 1006);
                    }
                }
            }
            "close" => {
                for link in self.server.connections.keys().copied().collect::<Vec<_>>() {
                    let code = *self.random.pick(&[4503, 4513, 4500, 1011, 1001, 4603]);
                    let closing = match self.random.chance(0.5) {
                        true => json!({"after_ms": self.random.below(1_000), "spread_ms": self.random.below(2_000)}),
                        false => json!({}),
                    };
                    let out = self.server.end(&mut self.random, link, code, &closing);
                    self.transmit(out);
                }
            }
            "kill" if self.random.chance(0.5) => {
                let durable = self.random.chance(0.5);
                let out = self.server.kill(durable);
                self.transmit(out);
            }
            "device" => {
                let signal = self.random.pick(&[Event::Wake, Event::Online, Event::Offline, Event::Hide]).clone();
                self.event(signal);
            }
            "send" => {
                self.published += 1;
                let n = self.published;
                let command = json!({"action": "publish", "topic": "long", "type": "note", "payload": n, "idempotency_key": format!("k{n}")});
                self.event(Event::Command { reference: n, command: command.as_object().cloned().expect("an object") });
            }
            "stop" if self.random.chance(0.3) => {
                self.stop();
                let ms = self.random.below(3_000);
                self.advance(ms);
                self.start();
            }
            "role" => self.server.staff = self.random.chance(0.5),
            "sleep" => {
                let ms = self.random.below(120_000);
                self.slept_at = Some(self.clock.now + ms);
                for key in self.clock.sleep(ms) {
                    if let Some(due) = self.clock.take(key) {
                        self.fire(due);
                    }
                }
            }
            "forget" => {
                let out = self.server.forget();
                self.transmit(out);
            }
            "refresh" => self.event(Event::Refresh),
            _ => {}
        }
        self.tick();
    }
}
