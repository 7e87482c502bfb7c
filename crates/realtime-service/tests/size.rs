//! The cost of an idle connection is mostly its task: this keeps it from growing unnoticed.

use std::sync::Arc;

use realtime_adapters::{
    testing::TestJwtVerifier,
    ws::{WsConfig, WsSocket},
};
use realtime_core::auth::ConnectRequest;
use realtime_schema::{JwtClaims, UserId};
use realtime_service::Service;
use tokio::net::{TcpListener, TcpStream};

/// The most bytes that the task's future may have. It grows by whatever lives across an `await` of it; box what is
/// rare. The runtime aligns a task to 128 bytes: with its header this much fits into 512, and a byte more costs 128.
const MOST: usize = 408;

#[tokio::test]
async fn the_task_of_a_connection_is_small() {
    let claims = JwtClaims::new(UserId::new("alice").expect("a user"));
    let verifier = TestJwtVerifier::new("let-me-in", claims);
    let service = Service::builder().verifier(Arc::new(verifier)).build().await.expect("a service");
    let admission = service.admit(&ConnectRequest::with_token("let-me-in")).await.expect("admitted");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let stream = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a stream");
    let socket = WsSocket::new(stream, Vec::new(), Arc::new(WsConfig::default()));
    let size = size_of_val(&service.serve(admission, socket));
    assert!(size <= MOST, "it has {size} bytes");
}
