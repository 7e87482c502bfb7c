//! The default adapters, composed. The only module of this crate that names one.

use std::{net::IpAddr, sync::Arc};

use http::{Request, Response};
use realtime_adapters::{
    local::{LocalBus, LocalPubSub, LocalRegistry, SystemClock, UuidGenerator},
    ws::{Handshake, ResponseBody, WsConfig, refused, turn_away},
};
use realtime_core::auth::{Refusal, select_protocol};

use crate::{builder::ServiceBuilder, service::Service};

/// Gives every port that has no adapter yet the one of the in-memory node.
pub(crate) fn complete(builder: ServiceBuilder) -> ServiceBuilder {
    builder.defaults(
        || Arc::new(LocalRegistry::default()),
        || Arc::new(LocalPubSub::default()),
        || Arc::new(LocalBus::default()),
        || Arc::new(SystemClock::default()),
        || Arc::new(UuidGenerator::default()),
    )
}

/// Answers `GET /ws`: checks the handshake, lets the client in or says why not, and serves its connection in a task
/// of its own. For any HTTP/1.1 server on hyper, axum included.
///
/// `remote` is the client's address, for the limit per address; behind a proxy, the one that the proxy names.
pub async fn websocket<B>(
    service: &Service,
    config: &Arc<WsConfig>,
    remote: Option<IpAddr>,
    mut request: Request<B>,
) -> Response<ResponseBody> {
    let mut handshake = match Handshake::check(&mut request, config) {
        Ok(handshake) => handshake,
        Err(invalid) => {
            service.refused(invalid.reason, remote, &invalid.detail);
            return invalid.response;
        }
    };
    handshake.request_mut().remote = remote;
    let admitted = match select_protocol(&handshake.request().protocols) {
        Ok(protocol) => service.admit(handshake.request()).await.map(|admission| (protocol, admission)),
        Err(refusal) => {
            service.refused(refusal.reason, remote, &refusal.message);
            Err(refusal)
        }
    };
    match admitted {
        Ok((protocol, admission)) => {
            let (response, pending) = handshake.accept(protocol);
            let service = service.clone();
            tokio::spawn(async move {
                if let Some(socket) = pending.socket().await {
                    // A task of its own, so that a connection at rest holds nothing of its beginning.
                    tokio::spawn(service.serve(admission, socket));
                }
            });
            response
        }
        Err(refusal) => refuse(service, handshake, refusal),
    }
}

/// Refuses a handshake: by an HTTP answer, or by a close code where the client is a browser, which sees no answer.
/// While too many are being told so, all get the answer.
pub fn refuse(service: &Service, handshake: Handshake, refusal: Refusal) -> Response<ResponseBody> {
    let Some(place) = service.0.admissions.turning_away() else { return refused(&refusal) };
    let (response, pending) = handshake.refuse(&refusal);
    if let Some(pending) = pending {
        let (now, patience) = (service.0.clock.now(), service.settings().liveness.close_timeout);
        tokio::spawn(async move {
            turn_away(pending, refusal, now, patience).await;
            drop(place);
        });
    }
    response
}
