//! The WebSocket endpoint, for any HTTP/1.1 server on hyper, axum included.

use std::{net::IpAddr, sync::Arc};

use http::{Request, Response};
use realtime_adapters::ws::{Handshake, ResponseBody, WsConfig, refused, reject};
use realtime_core::auth::{Refusal, select_protocol};

use crate::service::Service;

/// Responds to `GET /ws`: checks the handshake, admits the client or says why not, and serves its connection in a
/// task of its own.
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
                    // A task of its own, so that an idle connection holds nothing of its beginning.
                    tokio::spawn(service.serve(admission, socket));
                }
            });
            response
        }
        Err(refusal) => refuse(service, handshake, refusal),
    }
}

/// Refuses a handshake: by an HTTP response, or by a close code if the client is a browser, which can't see the
/// response. While too many clients are being rejected by a close code, all get the response.
pub fn refuse(service: &Service, handshake: Handshake, refusal: Refusal) -> Response<ResponseBody> {
    let Some(permit) = service.0.admissions.rejection_permit() else { return refused(&refusal) };
    let (response, pending) = handshake.refuse(&refusal);
    if let Some(pending) = pending {
        let (now, close_timeout) = (service.0.clock.now(), service.settings().liveness.close_timeout);
        tokio::spawn(async move {
            reject(pending, refusal, now, close_timeout).await;
            drop(permit);
        });
    }
    response
}
