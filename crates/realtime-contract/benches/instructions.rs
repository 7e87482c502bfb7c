//! The cost of a message contract for a publication, in instructions.
//!
//! Each case does what a publisher's task does with a request between its arrival and the fan-out: the limits, the rules for
//! payloads, the frame. They differ only in the rules.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // A benchmark prints and reads its arguments.

use std::{hint::black_box, process::ExitCode, sync::Arc};

use realtime_contract::{Binding, Contract, SchemaFiles};
use realtime_core::{
    codec::encode_publication,
    message::{Stamp, from_request, validate},
    policy::Overflow,
};
use realtime_ports::PayloadRules;
use realtime_schema::{MessageId, Payload, PublishRequest, Route, Timestamp};

#[path = "../../realtime-core/benches/counted/mod.rs"]
mod counted;

use counted::{Case, ROUNDS, measured};

const CASES: &[Case] = &[
    Case { name: "publish/no-contract", unit: "message", run: || publish(None, FREE, &order(TOTAL), true) },
    Case {
        name: "publish/another-topic",
        unit: "message",
        run: || publish(Some(&contract()), FREE, &order(TOTAL), true),
    },
    Case {
        name: "publish/checked-300-B",
        unit: "message",
        run: || publish(Some(&contract()), BOUND, &order(TOTAL), true),
    },
    Case {
        name: "publish/refused-300-B",
        unit: "message",
        run: || publish(Some(&contract()), BOUND, &order("-1"), false),
    },
    Case { name: "publish/checked-16-KiB", unit: "message", run: || publish(Some(&contract()), BOUND, &long(), true) },
];

/// A topic that the last pattern of [`contract`] covers, and one that none does.
const BOUND: &str = "order:123";
const FREE: &str = "parcel:123";

const TOTAL: &str = "12900";

/// What the messages of an order look like.
const SCHEMA: &str = include_str!("order.json");

fn main() -> ExitCode {
    counted::main(CASES)
}

/// Publishes `payload` to `topic`, which the rules accept or refuse.
fn publish(rules: Option<&Arc<dyn PayloadRules>>, topic: &str, payload: &str, accepted: bool) -> usize {
    const LIMIT: usize = 64 * 1024;
    let route = Route::Topic(topic.parse().expect("a topic"));
    let payload = Payload::from_text(payload.to_owned()).expect("JSON");
    let request = PublishRequest::new(route, "order-updated".parse().expect("a type"), payload);
    let stamp = Stamp { id: MessageId(uuid::Uuid::from_u128(1)), now: Timestamp::from_millis(1_795_438_800_123) };
    let one = |request: PublishRequest| {
        validate(black_box(&request), LIMIT).expect("within the limits");
        if let Some(rules) = black_box(rules) {
            let checked = rules.check(&request.to, &request.kind, &request.payload);
            assert_eq!(checked.is_ok(), accepted, "{checked:?}");
            if checked.is_err() {
                return;
            }
        }
        let message = from_request(request, stamp);
        drop(black_box(encode_publication(&message, Overflow::Close)));
    };
    one(request.clone());
    let mut requests = vec![request; ROUNDS];
    measured(black_box(&mut || requests.drain(..).for_each(one)));
    ROUNDS
}

/// Eight patterns, of which the last one is for orders.
fn contract() -> Arc<dyn PayloadRules> {
    let path = || "order.json".parse().expect("a path");
    let patterns =
        ["user", "role:*", "all", "topic:chat:**", "topic:cart:*", "topic:stock:*", "topic:a:b:*", "topic:order:*"];
    let bind = |pattern: &str| {
        Binding::new(pattern.parse().expect("a pattern")).with("order-updated".parse().expect("a type"), path())
    };
    let files = SchemaFiles::parse([(path(), SCHEMA.to_owned())]).expect("a schema");
    Arc::new(Contract::compile(patterns.map(bind).into(), files).expect("a contract"))
}

/// An order of 300 bytes.
fn order(total: &str) -> String {
    const BYTES: usize = 300;
    let lines = [line("tea-green-100", 2), line("cup-white", 4), line("kettle-1500", 1)].join(",");
    let rest = format!(
        r#"","status":"paid","total":{total},"currency":"EUR","updated_at":"2026-11-23T13:00:00Z","lines":[{lines}]}}"#
    );
    format!(r#"{{"order":"{:a<1$}{rest}"#, "", BYTES - r#"{"order":""#.len() - rest.len())
}

/// An order with as many lines as 16 KiB hold.
fn long() -> String {
    let lines: Vec<_> = (0..270).map(|n| line(&format!("article-{n:05}"), n + 1)).collect();
    order(TOTAL).replace("\"lines\":[", &format!("\"lines\":[{},", lines.join(",")))
}

fn line(sku: &str, count: u32) -> String {
    format!(r#"{{"sku":"{sku}","count":{count},"note":null}}"#)
}
