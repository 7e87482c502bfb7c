//! The server in one process: composed of a config, run until it is told to stop.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Release},
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use realtime_adapters::front::{self, AcceptorConfig, Listener, RequestBody, Slots, TlsCertificate, TlsListener};
use realtime_ports::{ConnectionHandler, StoreError};
use realtime_service::{BuildError, Service};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::{JoinError, spawn_blocking},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    config::{Config, ConfigError, Problem},
    dev::Dev,
    http::{
        admin_router,
        app::{App, Remote},
        base_path, router,
    },
    reload::Reloader,
};

/// A server that has its port and does not serve it yet.
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    certificate: Option<Arc<TlsCertificate>>,
    /// For `server.admin_listen`.
    admin: Option<(TcpListener, SocketAddr)>,
    app: Arc<App>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The config is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The port can't be had.
    #[error("can't listen on {address}; set {setting} to another address (port 0 for any that is free)")]
    Listen {
        /// The setting: `server.listen` or `server.admin_listen`.
        setting: &'static str,
        /// Its address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The durable store can't be opened.
    #[error("store.dir can't be used{}", store_hint(.0))]
    Store(#[source] StoreError),
    /// The service could not be composed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A task of the server failed: the one that accepts sockets, or the one that opens the store.
    #[error("a task of the server failed")]
    Task(#[from] JoinError),
}

/// What to do about an error of the store, beyond what it says itself.
fn store_hint(error: &StoreError) -> &'static str {
    match error {
        StoreError::Damaged(_) => " (`serve --data-dir-reset` moves it aside and begins an empty one)",
        _ => "",
    }
}

impl Server {
    /// Checks `config`, composes the service and takes the port.
    ///
    /// # Errors
    /// What is wrong with the config, or the port.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        Self::compose(config, None, None).await
    }

    /// The same with the application's hooks into the life of connections.
    ///
    /// # Errors
    /// See [`Self::bind`].
    pub async fn bind_with(config: Config, handler: Arc<dyn ConnectionHandler>) -> Result<Self, StartError> {
        Self::compose(config, None, Some(handler)).await
    }

    /// A server for development: what is required and not set is made up, and a live page is served.
    ///
    /// # Errors
    /// See [`Self::bind`].
    pub async fn bind_dev(mut config: Config) -> Result<Self, StartError> {
        let dev = Dev::complete(&mut config);
        Self::compose(config, Some(dev), None).await
    }

    async fn compose(
        config: Config,
        dev: Option<Dev>,
        handler: Option<Arc<dyn ConnectionHandler>>,
    ) -> Result<Self, StartError> {
        config.check()?;
        let verifier = config.verifier().await?;
        let mut builder = Service::builder().settings(config.settings()?).verifier(verifier.clone());
        let hooks = config.hooks.start()?;
        if let Some(hooks) = &hooks {
            if handler.is_some() {
                let what = "has no effect beside the application's own handler; remove the section";
                return Err(ConfigError::Problems(vec![Problem::new("hooks.enabled", what)]).into());
            }
            if hooks.has_handler() {
                builder = builder.handler(Arc::new(hooks.clone()));
            }
            if hooks.has_authorizer() {
                builder = builder.authorizer(Arc::new(hooks.clone()));
            }
        }
        if let Some(handler) = handler {
            builder = builder.handler(handler);
        }
        if let Some(tickets) = config.tickets()? {
            builder = builder.tickets(Arc::new(tickets));
        }
        let store = config.store.clone();
        // It is checked whole: that may take a second.
        if let Some(store) = spawn_blocking(move || store.open()).await?.map_err(StartError::Store)? {
            builder = builder.store(Arc::new(store));
        }
        let service = builder.build().await.map_err(|error| match error {
            BuildError::Store(error) => StartError::Store(error),
            error => StartError::Build(error),
        })?;
        let listen = |setting, address| {
            let bound = listener(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
            bound.map_err(|source| StartError::Listen { setting, address, source })
        };
        let (local, listener) = listen("server.listen", config.server.listen)?;
        let admin = config.server.admin_listen.map(|address| listen("server.admin_listen", address));
        let admin = admin.transpose()?.map(|(local, listener)| (listener, local));
        for Problem { key, what, .. } in config.warnings() {
            // In development every page of this machine may connect.
            if dev.is_none() || key != "server.allowed_origins" {
                tracing::warn!("{key}: {what}");
            }
        }
        for Problem { key, what, .. } in config.notes() {
            tracing::info!("{key}: {what}");
        }
        let certificate = config.tls.certificate()?;
        let app = Arc::new(App::new(service, verifier, hooks, config, dev)?);
        app.service.set_payload_rules(app.live.load().payload_rules());
        Ok(Self { listener, local, certificate, admin, app })
    }

    /// The address it listens on, with the port that it was given if it asked for any.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The address of `server.admin_listen`, if there is one, with the port that it was given.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(_, local)| *local)
    }

    /// The real-time service, to publish with from the same process.
    pub fn service(&self) -> &Service {
        &self.app.service
    }

    /// What was made up for development.
    pub fn dev(&self) -> Option<&Dev> {
        self.app.dev.as_ref()
    }

    /// The config in use.
    pub fn config(&self) -> &Config {
        &self.app.config
    }

    /// Gives this server new settings while it runs.
    pub fn reloader(&self) -> Reloader {
        Reloader::new(self.app.clone())
    }

    /// Serves until `shutdown` is cancelled; then stops accepting, tells clients to come back elsewhere, and waits for
    /// them as long as the config allows. Returns how many connections were cut off at that deadline.
    ///
    /// # Errors
    /// The task that accepts sockets failed.
    pub async fn run(self, shutdown: CancellationToken) -> Result<usize, StartError> {
        let Self { listener, local, certificate, admin, app } = self;
        let accepting = CancellationToken::new();
        let mut acceptor = app.config.acceptor();
        acceptor.reserved_paths = base_path::probes(&app.config.server.base_path);
        let listener = app.config.proxy_protocol(listener);
        let (operators, served, slots) = (acceptor.clone(), router(app.clone()), app.http_slots.clone());
        let tls = certificate.is_some();
        let mut accept = match certificate {
            None => tokio::spawn(serve(listener, acceptor, slots, served, accepting.clone())),
            Some(certificate) => {
                tokio::spawn(certificate.clone().watch(CERTIFICATE_INTERVAL, accepting.clone()));
                let listener = TlsListener::new(listener, certificate, app.config.tls.handshake_timeout.0);
                tokio::spawn(serve(listener, acceptor, slots, served, accepting.clone()))
            }
        };
        tracing::info!(tls, address = %local, "serving");
        // Until the end of the drain, so that it can be watched.
        let watching = CancellationToken::new();
        let _stop_watching = watching.clone().drop_guard();
        if let Some((listener, local)) = admin {
            let slots = Slots::new(&operators);
            tokio::spawn(serve(listener, operators, slots, admin_router(app.clone()), watching));
            tracing::info!(address = %local, "serving metrics and health");
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            // It ends only when told to: a panic is all that can bring us here.
            ended = &mut accept => return ended.map(|()| 0).map_err(StartError::from),
        }
        app.stopping.store(true, Release);
        let delay = app.config.server.shutdown_delay.0;
        tracing::info!(delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), "stopping");
        tokio::time::sleep(delay).await;
        accepting.cancel();
        let timeout = app.config.server.shutdown_timeout.0;
        let deadline = tokio::time::Instant::now() + timeout;
        let (left, _) = tokio::join!(app.service.drain(timeout), tokio::time::timeout(timeout, accept));
        app.service.close_store().await;
        if let Some(hooks) = &app.hooks {
            // What the clients have left of it, and at least a moment.
            let left = deadline.saturating_duration_since(tokio::time::Instant::now()).max(MIN_HOOKS_DRAIN);
            let undelivered = hooks.drain(left).await;
            if undelivered > 0 {
                tracing::warn!(undelivered, "the backend was not notified of every connection that ended");
            }
        }
        tracing::info!(cut_off = left, "stopped");
        Ok(left)
    }
}

/// Serves `router` on `listener` until `shutdown` is cancelled.
async fn serve<L>(listener: L, config: AcceptorConfig, slots: Slots, router: Router, shutdown: CancellationToken)
where
    L: Listener,
{
    let handler = move |request: Request<RequestBody>, remote| {
        let router = router.clone();
        async move {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(Remote(remote));
            let request = Request::from_parts(parts, Body::new(body));
            router.oneshot(request).await.unwrap_or_else(|never| match never {})
        }
    };
    front::serve_with_slots(listener, config, slots, handler, shutdown).await;
}

/// The least time in which `disconnect` hooks are delivered once the last client is gone.
const MIN_HOOKS_DRAIN: Duration = Duration::from_secs(1);

/// How often the files of the certificate are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(2);

/// Connections that may wait to be accepted, if the kernel's own limit (`net.core.somaxconn`) allows so many. When all
/// clients come back at once, each that finds no room tries again only after a second.
const BACKLOG: u32 = 4096;

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Elsewhere it would let two servers have one port.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
