//! Lists of connections on a node that has more of them than one request looks at.

use std::sync::Arc;

use realtime_adapters::testing::TestWebSocketConnection;
use realtime_ports::RealtimeService;
use realtime_schema::{ConnectionId, ConnectionQuery};
use realtime_testing::World;

const MANY: usize = 10_500;

fn id(n: usize) -> ConnectionId {
    format!("00000000-0000-7000-8000-{n:012}").parse().expect("an id")
}

/// Connects so many users, all with the role `everyone`; the client of the last is called `needle`.
async fn crowd() -> World {
    let world = World::builder().settings(|settings| settings.log_connections = false).build().await;
    for n in 0..MANY {
        let client = world.client(&format!("user-{n}")).roles(["everyone"]);
        let client = if n == MANY - 1 { client.client_name("needle") } else { client };
        let socket = Arc::new(TestWebSocketConnection::new(id(n)));
        world.service().connect(client.request(), socket).await.expect("admitted");
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_request_looks_at_some_connections_and_the_next_page_goes_on_from_there() {
    let world = crowd().await;
    let list = |query: &ConnectionQuery| world.service().list_connections(query);

    let query = ConnectionQuery { client: Some("needle".parse().expect("a client")), ..ConnectionQuery::default() };
    let first = list(&query);
    assert_eq!(first.connections, [], "none of the first 10,000 matches");
    assert_eq!(first.next, Some(id(9_999)));
    let second = list(&ConnectionQuery { after: first.next, ..query });
    assert_eq!(second.connections.len(), 1);
    assert_eq!((second.connections[0].connection.id, second.next), (id(MANY - 1), None));

    // A role that has more connections than a request looks at: its pages are as full as those of the list of all.
    for role in [None, Some("everyone".parse().expect("a role"))] {
        let (mut query, mut seen) = (ConnectionQuery { role, limit: 1_000, ..ConnectionQuery::default() }, Vec::new());
        loop {
            let page = list(&query);
            seen.extend(page.connections.iter().map(|found| found.connection.id));
            assert!(page.next.is_none() || page.connections.len() == 1_000);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..MANY).map(id).collect::<Vec<_>>());
    }
}
