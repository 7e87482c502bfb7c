//! The live tail of streams: a trace of their messages, with payloads.

use realtime_ports::RealtimeService;
use realtime_schema::{Payload, PublishRequest, Route, Topic, TraceEventKind, TraceRequest};
use realtime_testing::World;

#[tokio::test(start_paused = true)]
async fn payloads_that_wait_for_a_slow_reader_are_bounded_in_bytes() {
    let world = World::builder().settings(|settings| settings.traces.bytes = 1_000).build().await;
    let streams = vec!["topic:**".parse().expect("a pattern")];
    let request = TraceRequest { streams, payloads: true, seconds: Some(2), ..TraceRequest::default() };
    let mut trace = world.service().trace(&request).expect("a trace");
    assert_eq!(trace.next().await.expect("an event").event, TraceEventKind::Started);
    let publish = async |chars: usize| {
        let payload = Payload::of(&"x".repeat(chars)).expect("JSON");
        let to = Route::Topic(Topic::new("news").expect("a topic"));
        let request = PublishRequest::new(to, "t".parse().expect("a type"), payload);
        world.service().publish(request).await.expect("published");
    };
    let mut next = async || {
        let event = trace.next().await.expect("an event");
        (event.payload.map_or(0, |payload| payload.as_str().len()), event.skipped.unwrap_or_default())
    };
    for _ in 0..10 {
        publish(398).await;
    }
    // Two of 400 bytes fit; a third would be too much.
    assert_eq!((next().await, next().await), ((400, 0), (400, 0)));
    // Alone, a larger one fits, and then nothing but it.
    publish(4_998).await;
    publish(1).await;
    assert_eq!((next().await, next().await), ((0, 8), (5_000, 0)));
    publish(398).await;
    assert_eq!((next().await, next().await), ((0, 1), (400, 0)));
}
