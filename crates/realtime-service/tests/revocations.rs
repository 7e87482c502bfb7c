//! Users and tokens that are refused for a time, on virtual time.

use std::{sync::Arc, time::Duration};

use realtime_adapters::{
    testing::TestJwtVerifier,
    ws::{WsConfig, WsSocket},
};
use realtime_core::auth::{ConnectRequest, RefusalReason};
use realtime_ports::{Clock, RealtimeService, RevokeError};
use realtime_schema::{CloseCode, Closing, ConnectionId, JwtClaims, RevocationRequest, TimeSpan, UserId};
use realtime_service::Service;
use realtime_testing::World;
use tokio::net::{TcpListener, TcpStream};

const MINUTE: Duration = Duration::from_secs(60);

fn user(name: &str) -> UserId {
    name.parse().expect("a user")
}

fn closing() -> Closing {
    Closing::new(CloseCode::FORBIDDEN, "enough")
}

#[tokio::test(start_paused = true)]
async fn a_block_holds_until_its_end_and_not_longer() {
    let world = World::new(1).await;
    let mut alice = world.client("alice").connect().await;
    alice.subscribe("order:1").await;
    let revoked = world.service().block_user(user("alice"), 10 * MINUTE, closing()).await.expect("there is room");
    assert_eq!((revoked.disconnected, world.metrics().subscriptions), (1, 0));
    let closed = alice.closed().await;
    assert_eq!((closed.code, closed.reason.as_str()), (CloseCode::FORBIDDEN, "enough"));
    let refused = async || {
        let refused = world.client("alice").try_connect().await;
        refused.err().map(|refusal| (refusal.reason, refusal.message))
    };
    for _ in 0..10 {
        assert_eq!(refused().await, Some((RefusalReason::Blocked, "enough".to_owned())));
        world.client("bob").connect().await;
        world.advance(MINUTE).await;
    }
    assert_eq!((world.metrics().revocations, world.service().revocations(None, 9).len()), (0, 0));
    assert_eq!(refused().await, None);
    world.check();
}

#[tokio::test]
async fn a_client_that_was_admitted_before_the_revocation_and_served_after_it_is_closed() {
    let verifier = TestJwtVerifier::new("let-me-in", JwtClaims::new(user("alice")));
    let service = Service::builder().verifier(Arc::new(verifier)).build().await.expect("a service");
    let admission = service.admit(&ConnectRequest::with_token("let-me-in")).await.expect("admitted");
    let request = RevocationRequest { user: Some(user("alice")), ..RevocationRequest::default() };
    let revoked = service.revoke(request).await.expect("there is room");
    assert_eq!(revoked.disconnected, 0, "it has no connection yet");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let peer = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a stream");
    let (stream, _) = listener.accept().await.expect("a stream");
    let socket = WsSocket::new(stream, Vec::new(), Arc::new(WsConfig::default()));
    let task = tokio::spawn(service.serve(admission, socket));
    assert_eq!(service.metrics().connections, 0, "nothing is delivered to it");
    let mut received = Vec::new();
    while !String::from_utf8_lossy(&received).contains(r#""code":4403,"reason":"blocked by an operator""#) {
        peer.readable().await.expect("an open socket");
        let mut buffer = [0; 1024];
        match peer.try_read(&mut buffer) {
            Ok(0) => panic!("it ended without the reason: {:?}", String::from_utf8_lossy(&received)),
            Ok(n) => received.extend_from_slice(&buffer[..n]),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    drop(peer);
    task.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_revocation_without_an_end_lasts_until_the_token_expires_or_for_the_default() {
    let world = World::builder().settings(|settings| settings.revocations.duration = 10 * MINUTE).build().await;
    let now = world.clock().now().as_secs();
    let claims = JwtClaims { jti: Some("t1".into()), exp: Some(now + 100), ..JwtClaims::new(user("alice")) };
    let leeway = i64::try_from(world.service().settings().admission.policy.leeway_s).expect("a few seconds");
    let _alice = world.client("alice").claims(claims).connect().await;
    let until = async |jti: &str| {
        let request = RevocationRequest { jti: Some(jti.into()), ..RevocationRequest::default() };
        world.service().revoke(request).await.expect("there is room").revocation.until.as_secs() - now
    };
    assert_eq!(until("t1").await, 100 + leeway, "as long as the token would be admitted");
    assert_eq!(until("t2").await, 600);
}

#[tokio::test(start_paused = true)]
async fn a_full_list_closes_no_connection_and_has_room_when_one_has_ended() {
    let world = World::builder().settings(|settings| settings.revocations.max = 1).build().await;
    let service = world.service();
    service.block_user(user("alice"), MINUTE, closing()).await.expect("there is room");
    let mut bob = world.client("bob").connect().await;
    let full = service.block_user(user("bob"), MINUTE, closing()).await;
    assert!(matches!(full, Err(RevokeError::Full { limit: 1 })), "{full:?}");
    bob.expect_nothing().await;
    world.advance(MINUTE).await;
    let request =
        RevocationRequest { user: Some(user("bob")), duration: Some(TimeSpan(MINUTE)), ..RevocationRequest::default() };
    assert_eq!(service.revoke(request).await.expect("there is room").disconnected, 1);
    let unknown: ConnectionId = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
    assert!(matches!(service.block_connection(unknown, MINUTE, closing()).await, Ok(None)));
}
