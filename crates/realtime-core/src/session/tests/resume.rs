//! `resume`: the streams that stand still for a client with a ticket, until it says where it stopped, or for a time.

use realtime_schema::StreamPosition;

use super::*;
use crate::outbound::ResumePending;

/// A session whose user and `all` streams stand still for 10 s.
fn holding(grants: &[&str]) -> World {
    let claims = claims(grants, None);
    let hold = Hold { until: ms(10_000), streams: vec![Stream::User, Stream::All] };
    let opening =
        Opening { now: ms(0), wall: wall(ms(0)), ping: PingMode::Frame, jitter: 100, hold: Some(Box::new(hold)) };
    World { session: Session::open(Arc::new(settings()), &record(&claims), &claims, &opening), now: ms(0) }
}

fn position() -> StreamPosition {
    StreamPosition { epoch: "k3f".into(), offset: 17 }
}

fn resume(streams: &[&str]) -> String {
    let since: Vec<_> = streams.iter().map(|stream| format!(r#""{stream}":{{"epoch":"k3f","offset":17}}"#)).collect();
    format!(r#"{{"action":"resume","id":7,"since":{{{}}}}}"#, since.join(","))
}

fn resumed(streams: &[(&str, bool)], topics: &[(&str, Option<Origin>)]) -> Effect {
    Effect::Run(Run::Resume(Box::new(ResumeRequest {
        id: id(7),
        streams: streams.iter().map(|(name, may)| (name.parse().expect("a stream"), position(), *may)).collect(),
        topics: topics.iter().map(|(name, origin)| (topic(name), position(), *origin)).collect(),
    })))
}

#[test]
fn a_client_may_have_the_past_of_what_its_ticket_names_and_of_topics_that_it_may_subscribe_to() {
    let mut world = holding(&["subscribe:order:*"]);
    let text = resume(&["all", "role:admin", "user", "topic:bill:1", "topic:order:1"]);
    let expected = resumed(
        &[("all", true), ("user", true), ("role:admin", false)],
        &[("bill:1", None), ("order:1", Some(Origin::Client))],
    );
    let effects = world.receive(&text);
    let [Effect::Run(Run::Resume(request))] = effects.as_slice() else { panic!("{effects:?}") };
    let Effect::Run(Run::Resume(mut expected)) = expected else { unreachable!("built above") };
    let mut request = request.clone();
    request.streams.sort_by_key(|(stream, ..)| stream.to_string());
    expected.streams.sort_by_key(|(stream, ..)| stream.to_string());
    assert_eq!(request, expected);
    assert_eq!(world.handle(Input::Resumed(Ok(()))), [], "the queue sends the ack");
    assert_eq!(world.receive(r#"{"action":"ping","id":8}"#), [ack(8)], "and the session is ready for the next command");
}

#[test]
fn a_client_without_a_ticket_resumes_no_stream_of_the_server() {
    let mut world = World::new(&claims(&[], None));
    assert_eq!(world.receive(&resume(&["user"])), [resumed(&[("user", false)], &[])]);
}

#[test]
fn a_second_resume_waits_for_the_reply_to_the_first() {
    let mut world = holding(&[]);
    world.receive(&resume(&["user"]));
    assert_eq!(world.handle(Input::Resumed(Ok(()))), []);
    world.receive(&resume(&["user"]));
    let effects = world.handle(Input::Resumed(Err(ResumePending)));
    assert_eq!((&error(&effects).code, &error(&effects).id), (&ErrorCode::Conflict, &id(7)));
    assert_eq!(world.handle(Input::Resumed(Err(ResumePending))), [], "a second outcome is ignored");
}

#[test]
fn a_hold_expires_once_and_not_after_a_resume() {
    let release = Effect::Run(Run::Release { reason: GapReason::HoldExpired });
    let mut world = holding(&[]);
    assert_eq!(world.session.deadline(), ms(10_000), "before the first ping");
    assert_eq!(world.at(9_999).handle(Input::Elapsed), []);
    assert_eq!(world.at(10_000).handle(Input::Elapsed), [release]);
    assert_eq!(world.session.deadline(), ms(25_000));
    assert_eq!(world.at(10_001).handle(Input::Elapsed), []);
    assert!(world.session.rare.is_none(), "and an idle connection keeps nothing of it");

    let mut world = holding(&[]);
    world.receive(&resume(&["user"]));
    assert_eq!(world.session.deadline(), ms(25_000));
    assert_eq!(world.at(10_000).handle(Input::Elapsed), []);
}

#[test]
fn the_limit_of_publications_outlives_the_hold() {
    let mut world = holding(&["publish:**"]);
    world.receive(r#"{"action":"publish","topic":"a","type":"note","payload":1}"#);
    world.at(10_000).handle(Input::Elapsed);
    let rare = world.session.rare.as_ref().expect("the limit");
    assert!(rare.publications.is_some() && rare.hold.is_none());
}

#[test]
fn a_refresh_gives_the_positions_of_new_roles_and_a_ticket_for_all_streams() {
    let mut world = World::new(&claims(&[], None));
    world.receive(r#"{"action":"refresh","id":1,"token":"t2"}"#);
    world.verified(Ok(claims(&[], None)));
    let role: Stream = "role:admin".parse().expect("a stream");
    let streams = std::collections::BTreeMap::from([(role, position())]);
    let refreshed = Refreshed { roles: Vec::new(), streams: streams.clone(), ticket: Some("t".into()) };
    let effects = world.handle(Input::Regranted { refreshed, subscriptions: Vec::new(), watched: Vec::new() });
    let ack = Ack {
        roles: Some(Vec::new()),
        streams: Some(streams),
        resume: Some("t".into()),
        ..Ack::new(CommandId::Number(1))
    };
    assert_eq!(effects, [Effect::Send(Control::Ack(ack))]);
}

#[test]
fn the_welcome_of_a_client_with_a_ticket_says_for_how_long_its_streams_stand_still() {
    let said = |world: &World, now| {
        let record = record(&claims(&[], None));
        let streams = WelcomeStreams { positions: [(Stream::User, position())].into(), ticket: Some("t".into()) };
        let Control::Welcome(welcome) = welcome(&world.session, &record, now, wall(now), streams) else {
            panic!("not a welcome")
        };
        assert_eq!(welcome.streams, [(Stream::User, position())].into());
        assert_eq!(welcome.resume.as_deref(), Some("t"));
        (welcome.resumed, welcome.hold_ms)
    };
    assert_eq!(said(&holding(&[]), ms(2_500)), (true, Some(7_500)));
    assert_eq!(said(&World::new(&claims(&[], None)), ms(0)), (false, None));
}
