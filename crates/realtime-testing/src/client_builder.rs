//! How a client is described before it connects.

use std::{net::IpAddr, sync::Arc, time::Duration};

use realtime_core::auth::{ConnectRequest, Refusal};
use realtime_schema::{ClientId, JwtClaims, PingMode, UserId};

use crate::{client::Client, identity::Identity, network::Network, node::Node, scene::Scene, world::World};

impl World {
    /// A client of this user, which is still to connect.
    ///
    /// # Panics
    /// It is not the name of a user.
    pub fn client(&self, user: &str) -> ClientBuilder {
        ClientBuilder::new(self.scene.clone(), self.nodes.clone(), user)
    }
}

/// A client that is about to connect: what is in its token, and how it connects.
#[derive(Debug)]
pub struct ClientBuilder {
    scene: Arc<Scene>,
    nodes: Arc<[Node]>,
    identity: Identity,
}

impl ClientBuilder {
    fn new(scene: Arc<Scene>, nodes: Arc<[Node]>, user: &str) -> Self {
        let user = UserId::new(user).unwrap_or_else(|error| panic!("`{user}` is not the name of a user: {error}"));
        let everything = "subscribe:**".parse().expect("a grant");
        let identity = Identity {
            claims: JwtClaims { grants: vec![everything], ..JwtClaims::new(user) },
            lifetime: None,
            token: None,
            client: None,
            ticket: None,
            ping: PingMode::Frame,
            address: None,
            ignores_pings: false,
            network: scene.network,
            node: 0,
        };
        Self { scene, nodes, identity }
    }

    /// Roles in its token. None by default.
    ///
    /// # Panics
    /// One is not the name of a role.
    #[must_use]
    pub fn roles<'a>(mut self, roles: impl IntoIterator<Item = &'a str>) -> Self {
        let parse = |role: &str| role.parse().unwrap_or_else(|error| panic!("`{role}` is not a role: {error}"));
        self.identity.claims.roles = roles.into_iter().map(parse).collect();
        self
    }

    /// Grants in its token, such as `subscribe:order:*`. By default it may subscribe to every topic.
    ///
    /// # Panics
    /// One is not a grant.
    #[must_use]
    pub fn grants<'a>(mut self, grants: impl IntoIterator<Item = &'a str>) -> Self {
        let parse = |grant: &str| grant.parse().unwrap_or_else(|error| panic!("`{grant}` is not a grant: {error}"));
        self.identity.claims.grants = grants.into_iter().map(parse).collect();
        self
    }

    /// All claims of its token, in place of those of the other methods.
    #[must_use]
    pub fn claims(mut self, claims: JwtClaims) -> Self {
        self.identity.claims = claims;
        self
    }

    /// Each of its tokens expires so long after it was issued, in whole seconds. By default tokens do not expire.
    #[must_use]
    pub fn tokens_last(mut self, lifetime: Duration) -> Self {
        self.identity.lifetime = Some(lifetime);
        self
    }

    /// This token, instead of one that the world issues: for a verifier of your own.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.identity.token = Some(token.into());
        self
    }

    /// The name that the client gives itself, for messages that exclude it.
    ///
    /// # Panics
    /// It is not the name of a client.
    #[must_use]
    pub fn client_name(mut self, name: &str) -> Self {
        let parse = |error| panic!("`{name}` is not the name of a client: {error}");
        self.identity.client = Some(ClientId::new(name).unwrap_or_else(parse));
        self
    }

    /// The resume ticket that it brings, from the `welcome` of an earlier connection.
    #[must_use]
    pub fn ticket(mut self, ticket: impl Into<String>) -> Self {
        self.identity.ticket = Some(ticket.into());
        self
    }

    /// It asks for pings as text frames, as code in browsers does.
    #[must_use]
    pub fn text_pings(mut self) -> Self {
        self.identity.ping = PingMode::Text;
        self
    }

    /// It answers no ping, although it reads.
    #[must_use]
    pub fn ignores_pings(mut self) -> Self {
        self.identity.ignores_pings = true;
        self
    }

    /// The address that it comes from. None by default: then limits per address do not apply.
    #[must_use]
    pub fn address(mut self, address: impl Into<IpAddr>) -> Self {
        self.identity.address = Some(address.into());
        self
    }

    /// A network of its own. The world's by default.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.identity.network = network;
        self
    }

    /// The node that it connects to, by its index. The first one by default.
    #[must_use]
    pub fn on_node(mut self, node: usize) -> Self {
        self.identity.node = node;
        self
    }

    /// What it presents to be admitted, with a new token: for a test with a socket of its own.
    pub fn request(&self) -> ConnectRequest {
        self.identity.request(&self.scene)
    }

    /// Connects, and reads the `welcome`.
    ///
    /// # Panics
    /// It is refused: see [`Self::try_connect`].
    pub async fn connect(self) -> Client {
        let user = self.identity.user().clone();
        self.try_connect().await.unwrap_or_else(|refusal| panic!("{user} is refused: {refusal}"))
    }

    /// Connects, and reads the `welcome`.
    ///
    /// # Errors
    /// Why the node refused it.
    pub async fn try_connect(self) -> Result<Client, Refusal> {
        Client::connect(self.scene, self.nodes, self.identity).await
    }
}
