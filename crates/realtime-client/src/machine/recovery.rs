//! Positions: where each stream stands, how it continues after a reconnect, and what is lost. The four rules of
//! docs/protocol.md, "History and recovery".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    commands::flush,
    connection::{show, watch},
    events::Effect,
    loads::reload,
    out::{number, open, position, send_own, streams, text},
    state::{Own, Phase, Step, SubPhase, Subscription, Welcome},
    subscriptions::{acked, pump},
    timers::{arm, disarm},
    token::expires,
    types::{Emission, Gap, LoadReason, Message, Position, Timer},
};

const TOPIC: &str = "topic:";

pub(super) fn topic_of(stream: &str) -> Option<&str> {
    stream.strip_prefix(TOPIC)
}

/// The position of a topic, under the name of its stream.
pub(super) fn stream_of(topic: &str) -> String {
    format!("{TOPIC}{topic}")
}

pub(super) fn welcome(m: &mut Step<'_>, p: &Value) {
    if m.state.phase != Phase::Dialing {
        return;
    }
    disarm(m, &[Timer::Dial]);
    let s = &mut *m.state;
    s.phase = Phase::Resuming;
    s.refusals = 0;
    s.not_before = 0.0;
    s.refused = None;
    s.reason = None;
    s.complete = true;
    s.welcomes += 1;
    let (reconnect, limits) = (&p["reconnect"], &p["limits"]);
    s.welcome = Welcome {
        min_ms: number(reconnect, "min_ms").unwrap_or(250.0),
        max_ms: number(reconnect, "max_ms").unwrap_or(30_000.0),
        spread_ms: number(reconnect, "spread_ms").unwrap_or(1_000.0),
        ping_ms: number(p, "ping_ms").unwrap_or(25_000.0),
        burst: number(limits, "burst").unwrap_or(100.0),
    };
    let user = text(p, "user").map(str::to_owned);
    // What another user received is no one else's to continue.
    if s.user.is_some() && s.user != user {
        s.positions.clear();
        s.given.clear();
    }
    s.user = user;
    s.ticket = text(p, "resume").map(str::to_owned);
    let held = p["resumed"] == true;
    own_streams(m, p, held);
    watch(m);
    expires(m, p.get("token_expires_in_ms"));
    if !resume(m, held) {
        caught_up(m);
    }
    pump(m);
    flush(m);
}

/// The streams that this connection receives without a command.
fn own_streams(m: &mut Step<'_>, p: &Value, held: bool) {
    m.state.held.clear();
    let now: BTreeMap<_, _> = streams(p).into_iter().collect();
    for (stream, at) in &now {
        match m.state.positions.get(stream) {
            None => _ = m.state.positions.insert(stream.clone(), at.clone()),
            Some(_) if held => _ = m.state.held.insert(stream.clone()),
            Some(own) if own != at => jump(m, stream, at),
            Some(_) => {}
        }
    }
    let roles = p["roles"].as_array();
    let gone = |stream: &&String| topic_of(stream).is_none() && !now.contains_key(*stream);
    let gone: Vec<_> = m.state.positions.keys().filter(gone).cloned().collect();
    for stream in gone {
        let has_role = |role: &str| roles.is_some_and(|roles| roles.iter().any(|it| it == role));
        let lost_role = stream.strip_prefix("role:").is_some_and(|role| !has_role(role));
        if !lost_role {
            let previous = m.state.positions.get(&stream).cloned();
            let gap = Gap { stream: Some(stream.clone()), reason: "no_history".into(), previous, ..Gap::default() };
            lose(m, gap);
        }
        m.state.positions.remove(&stream);
    }
}

/// Sends all positions in one command; returns whether there is anything to continue.
fn resume(m: &mut Step<'_>, held: bool) -> bool {
    let s = &mut *m.state;
    let mut since = BTreeMap::new();
    let mut topics = Vec::new();
    for (stream, position) in &s.positions {
        let wanted = match topic_of(stream) {
            None => s.held.contains(stream),
            Some(topic) => match s.subscriptions.key(topic) {
                Some(key) if s.subscriptions.find(key).is_some_and(|sub| sub.phase == SubPhase::Queued) => {
                    topics.push(key);
                    true
                }
                Some(_) => false,
                None => s.given.contains(topic),
            },
        };
        if wanted {
            since.insert(stream, position);
        }
    }
    if !held && since.is_empty() {
        return false;
    }
    let fields = json!({"action": "resume", "since": since});
    let id = send_own(m, Own::Resume, fields);
    m.state.resume = id;
    for key in topics {
        let sub = m.sub(key);
        sub.phase = SubPhase::Asking;
        sub.command = id;
        sub.recovered = 0;
    }
    true
}

/// The reply to `resume`: every stream has caught up.
pub(super) fn resumed(m: &mut Step<'_>, id: u64, p: &Value) {
    if m.state.resume != id {
        return;
    }
    m.state.resume = 0;
    keep_all(m, p);
    let now: BTreeMap<_, _> = streams(p).into_iter().collect();
    for key in m.state.subscriptions.keys() {
        let sub = m.sub(key);
        if sub.command == id {
            let at = now.get(&stream_of(&sub.topic)).cloned();
            acked(m, key, at);
        }
    }
    caught_up(m);
}

/// The server refused to resume: again after a pause, or each topic for itself.
pub(super) fn resume_refused(m: &mut Step<'_>, retry: bool, after: f64) {
    let id = m.state.resume;
    for key in m.state.subscriptions.keys() {
        let sub = m.sub(key);
        if sub.command == id {
            sub.phase = SubPhase::Queued;
            sub.command = 0;
        }
    }
    m.state.resume = 0;
    arm(m, Timer::Pace, after);
    if !retry {
        m.state.complete = false;
        caught_up(m);
    }
}

/// The pause is over.
pub(super) fn resume_again(m: &mut Step<'_>) {
    let held = !m.state.held.is_empty();
    if m.state.phase == Phase::Resuming && m.state.resume == 0 && !resume(m, held) {
        caught_up(m);
    }
}

fn caught_up(m: &mut Step<'_>) {
    m.state.phase = Phase::Live;
    show(m);
}

/// Keeps a position that the server names, unless messages after it have come already.
pub(super) fn keep(m: &mut Step<'_>, stream: &str, at: &Position, seen: u64) {
    let known = match m.state.positions.get(stream) {
        Some(own) if own.epoch == at.epoch => own.offset,
        Some(_) => 0,
        None => seen,
    };
    let kept = Position { epoch: at.epoch.clone(), offset: at.offset.max(known) };
    m.state.positions.insert(stream.to_owned(), kept);
}

/// The same for each stream of a reply.
pub(super) fn keep_all(m: &mut Step<'_>, p: &Value) {
    for (stream, at) in streams(p) {
        let key = topic_of(&stream).and_then(|topic| m.state.subscriptions.key(topic));
        // What is loaded has a position of its own.
        if key.is_none_or(|key| m.sub(key).phase != SubPhase::Loading) {
            keep(m, &stream, &at, 0);
        }
    }
}

/// The stream continues elsewhere than where this client stood.
fn jump(m: &mut Step<'_>, stream: &str, at: &Position) {
    let (stream, to, position) = (Some(stream.to_owned()), Some(at.offset), Some(at.clone()));
    gap(m, Gap { stream, to, position, reason: "not_resumed".into(), ..Gap::default() });
}

pub(super) fn gap(m: &mut Step<'_>, mut gap: Gap) {
    if let Some(stream) = &gap.stream {
        gap.previous = m.state.positions.remove(stream);
        if let Some(position) = &gap.position {
            m.state.positions.insert(stream.clone(), position.clone());
        }
    }
    lose(m, gap);
}

/// Emits a gap in its place between the messages.
fn lose(m: &mut Step<'_>, gap: Gap) {
    let s = &mut *m.state;
    s.complete = false;
    let topic = gap.stream.as_deref().and_then(topic_of).map(str::to_owned);
    let key = topic.as_deref().and_then(|topic| s.subscriptions.key(topic));
    let sub = key.and_then(|key| s.subscriptions.find(key));
    if sub.is_some_and(|sub| !receives(sub) && !s.given.contains(&sub.topic)) {
        return;
    }
    let (generation, load) = sub.map_or((0, false), |sub| (sub.generation, sub.load));
    m.effects.push(Effect::Emit(Emission::Gap { gap, topic, generation }));
    if let Some(key) = key.filter(|_| load) {
        reload(m, key, LoadReason::Gap);
    }
}

/// Whether messages of its topic are for this subscription.
fn receives(sub: &Subscription) -> bool {
    sub.count > 0 && !sub.is_leaving() && matches!(sub.phase, SubPhase::Asking | SubPhase::Live)
}

/// A message: the position moves first, the handler runs later.
pub(super) fn publication(m: &mut Step<'_>, message: Message) {
    let s = &mut *m.state;
    let key = message.topic.as_deref().and_then(|topic| s.subscriptions.key(topic));
    let sub = key.and_then(|key| s.subscriptions.find(key));
    let mine = sub.is_none_or(receives);
    let given = message.topic.as_deref().is_some_and(|topic| s.given.contains(topic));
    let gone = |sub: &Subscription| sub.is_leaving() || matches!(sub.phase, SubPhase::Ended | SubPhase::Loading);
    if sub.is_some_and(gone) && !mine && !given {
        return;
    }
    if let (Some(stream), Some(offset)) = (&message.stream, message.offset) {
        match s.positions.get_mut(stream) {
            Some(own) if offset <= own.offset => return,
            Some(own) => own.offset = offset,
            None => {
                if let Some(key) = key {
                    s.subscriptions.get_mut(key).seen = offset;
                }
            }
        }
    }
    let mut generation = 0;
    if let Some(key) = key {
        let sub = s.subscriptions.get_mut(key);
        generation = sub.generation;
        sub.recovered += u64::from(sub.phase == SubPhase::Asking);
    }
    if mine || given {
        m.effects.push(Effect::Emit(Emission::Message { message, generation }));
    }
}

/// The backend gave a topic.
pub(super) fn subscribed(m: &mut Step<'_>, p: &Value) {
    let Some(topic) = text(p, "topic") else { return };
    m.state.given.insert(topic.to_owned());
    let Some(at) = position(p.get("position")) else { return };
    let stream = stream_of(topic);
    match m.state.positions.get(&stream) {
        None => keep(m, &stream, &at, 0),
        Some(own) => {
            // A `resume` in flight names the position: what is missing comes, or its gap.
            let known = own.epoch == at.epoch && own.offset >= at.offset;
            if m.state.resume == 0 && open(m) && !known {
                jump(m, &stream, &at);
            }
        }
    }
}
