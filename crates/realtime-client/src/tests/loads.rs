//! What is left of a subscription that ends while its state is loaded.

use serde_json::{Value, json};

use crate::machine::{Effect, Event, Options, Position, State, step};

struct Scene(State);

impl Scene {
    fn happens(&mut self, event: Event) -> Vec<Effect> {
        step(&mut self.0, event, 0.0, 0.5)
    }

    fn frame(&mut self, kind: &str, payload: &Value) -> Vec<Effect> {
        self.happens(Event::Frame { n: 1, text: json!({"type": kind, "payload": payload}).to_string() })
    }
}

/// The id of the command that is sent.
fn sent(effects: &[Effect], action: &str) -> Value {
    let mut ids = effects.iter().filter_map(|effect| match effect {
        Effect::Send { command, .. } if command["action"] == action => Some(command["id"].clone()),
        _ => None,
    });
    ids.next().expect("a command")
}

#[test]
fn a_subscription_that_ends_while_its_state_is_loaded_is_forgotten() {
    let options = Options { client: "app".into(), first_id: 1, max_offline: 1, max_offline_bytes: 1 };
    let mut scene = Scene(State::new(options));
    let asked = scene.happens(Event::Start);
    let request =
        asked.iter().find_map(|it| if let Effect::AskToken { request, .. } = it { Some(*request) } else { None });
    scene.happens(Event::Token { request: request.expect("a request"), token: Some("jwt".into()) });
    scene.frame("welcome", &json!({"user": "alice", "streams": {}}));
    let topic = || "order:1".to_owned();
    scene.happens(Event::Subscribe { topic: topic(), since: None, load: true });
    let generation = scene.0.generation_of("order:1");
    let position = Some(Position { epoch: "a".into(), offset: 17 });
    let id = sent(&scene.happens(Event::Loaded { topic: topic(), generation, position }), "subscribe");
    scene.frame("ack", &json!({"id": id, "position": {"epoch": "a", "offset": 17}}));
    let position = json!({"epoch": "a", "offset": 30});
    let gap = scene.frame("gap", &json!({"stream": "topic:order:1", "position": position, "reason": "slow_consumer"}));
    scene.happens(Event::Unsubscribe { topic: topic() });
    scene.frame("ack", &json!({"id": sent(&gap, "unsubscribe")}));
    assert!(scene.0.subscriptions.of("order:1").is_none());
}
