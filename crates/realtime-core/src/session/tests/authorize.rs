//! Commands that neither a grant nor a namespace allows: the application's authorizer decides.

use realtime_schema::{Action, GrantAction, Role};

use super::*;
use crate::access::{AccessDecision, AccessRequest};

const SUBSCRIBE: &str = r#"{"action":"subscribe","id":7,"topic":"order:1"}"#;

fn world(grants: &[&str]) -> World {
    World::with(&claims(grants, None), SessionSettings { has_authorizer: true, ..settings() }, PingMode::Frame)
}

fn authorizing() -> Box<Authorizing> {
    let request = AccessRequest::new(GrantAction::Subscribe, topic("order:1"));
    Box::new(Authorizing { request, action: Action::Subscribe { topic: topic("order:1"), since: None } })
}

impl World {
    fn decided(&mut self, outcome: AuthorizeOutcome) -> Vec<Effect> {
        assert_eq!(self.receive(SUBSCRIBE), [Effect::Run(Run::Authorize(authorizing()))]);
        self.handle(Input::Authorized { authorizing: authorizing(), outcome })
    }
}

#[test]
fn the_authorizer_is_asked_only_where_neither_a_grant_nor_a_namespace_allows_it() {
    let mut world = world(&["subscribe:order:*"]);
    for name in ["order:1", "news:today"] {
        let text = format!(r#"{{"action":"subscribe","id":7,"topic":"{name}"}}"#);
        let run = subscribe(topic(name), Origin::Client);
        assert_eq!(world.receive(&text), [Effect::Run(run)]);
        world.handle(Input::Subscribed(SubscribeOutcome::Subscribed));
    }
}

#[test]
fn a_subscription_that_the_authorizer_allows_is_made_and_acknowledged() {
    let mut world = world(&[]);
    let run = subscribe(topic("order:1"), Origin::Authorizer);
    assert_eq!(world.decided(AuthorizeOutcome::Decided(AccessDecision::Allow)), [Effect::Run(run)]);
    assert_eq!(world.handle(Input::Subscribed(SubscribeOutcome::Subscribed)), [ack(7)]);
}

#[test]
fn a_denial_is_forbidden_with_the_text_of_the_authorizer_or_one_of_ours() {
    let denied = world(&[]).decided(AuthorizeOutcome::Decided(AccessDecision::deny_with("not your order")));
    assert_eq!((&error(&denied).code, error(&denied).message.as_str()), (&ErrorCode::Forbidden, "not your order"));
    assert_eq!(error(&denied).id, id(7));
    let denied = world(&[]).decided(AuthorizeOutcome::Decided(AccessDecision::deny()));
    assert!(error(&denied).message.contains("may not subscribe to `order:1`"), "{}", error(&denied).message);
}

#[test]
fn nothing_is_allowed_while_the_authorizer_is_unavailable_and_the_client_may_try_again() {
    let effects = world(&[]).decided(AuthorizeOutcome::Unavailable);
    let reply = error(&effects);
    assert_eq!((&reply.code, reply.retry, reply.after_ms), (&ErrorCode::Unavailable, true, Some(1_000)));
}

#[test]
fn no_other_command_runs_while_the_authorizer_decides() {
    let mut world = world(&["subscribe:**"]);
    world.session.grants = Box::default();
    assert_eq!(world.receive(SUBSCRIBE).len(), 1);
    let early = world.receive(r#"{"action":"unsubscribe","id":8,"topic":"order:1"}"#);
    assert_eq!((&error(&early).code, &error(&early).id), (&ErrorCode::RateLimited, &id(8)));
    let allowed = AuthorizeOutcome::Decided(AccessDecision::Allow);
    world.handle(Input::Authorized { authorizing: authorizing(), outcome: allowed.clone() });
    let again = world.handle(Input::Authorized { authorizing: authorizing(), outcome: allowed });
    assert_eq!(again, [], "a second outcome is ignored");
}

#[test]
fn a_refresh_asks_the_authorizer_again_about_what_the_new_token_does_not_grant() {
    let mut world = world(&["subscribe:a"]);
    world.receive(r#"{"action":"refresh","id":1,"token":"t2"}"#);
    world.verified(Ok(claims(&["subscribe:b"], None)));
    let has = |name: &str, origin| Subscription { topic: topic(name), origin };
    let subscriptions = vec![
        has("a", Origin::Client),
        has("b", Origin::Client),
        has("c", Origin::Authorizer),
        has("d", Origin::Authorizer),
        has("given", Origin::Server),
    ];
    let roles: Vec<Role> = Vec::new();
    let topics = vec![topic("a"), topic("c"), topic("d")];
    let asked = world.handle(Input::Regranted { refreshed: refreshed(&roles), subscriptions, watched: Vec::new() });
    assert_eq!(asked, [Effect::Run(Run::Reauthorize { refreshed: refreshed(&roles), topics })]);
    assert!(world.session.is_refreshing());

    let denied = vec![topic("a"), topic("d")];
    let effects = world.handle(Input::Reauthorized { refreshed: refreshed(&roles), denied });
    let topics = vec![topic("a"), topic("d")];
    assert_eq!(effects, [Effect::Run(Run::Revoke { refreshed: refreshed(&roles), topics })]);
    assert!(world.session.is_refreshing());
    let ack = Effect::Send(Control::Ack(Ack { roles: Some(roles.clone()), ..Ack::new(CommandId::Number(1)) }));
    assert_eq!(world.handle(Input::Revoked { refreshed: refreshed(&roles) }), [ack]);
}

#[test]
fn a_denial_names_what_was_denied() {
    let session = world(&[]).session;
    for (action, words) in [
        (GrantAction::Subscribe, "`alice` may not subscribe to `order:1`"),
        (GrantAction::Publish, "`alice` may not publish to `order:1`"),
        (GrantAction::History, "`alice` may not read the history of `order:1`"),
        (GrantAction::Presence, "`alice` may not see who is on `order:1`"),
    ] {
        let message = session.not_granted(&AccessRequest::new(action, topic("order:1")));
        assert!(message.starts_with(words), "{message}");
    }
}
