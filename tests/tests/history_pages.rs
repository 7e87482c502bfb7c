//! Pages of a stream's history, over HTTP and by command: the section "History and recovery" of docs/protocol.md.

use realtime_tests::{World, kept, offsets, publish_kept};
use serde_json::json;

#[tokio::test]
async fn a_backend_reads_every_history_in_pages_both_ways() {
    let world = World::with(kept(100)).await;
    for (to, path, stream) in [
        (json!({"topic": "order:1"}), "topics/order%3A1", "topic:order:1"),
        (json!({"user": "a/b"}), "users/a%2Fb", "user"),
        (json!({"role": "admin"}), "roles/admin", "role:admin"),
        (json!("all"), "all", "all"),
    ] {
        for n in 1..=5 {
            publish_kept(&world, to.clone(), n).await;
        }
        let get = async |query: &str| world.get(&format!("/api/v1/{path}/history?{query}")).await;
        let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
        loop {
            let page = get(&query).await.ok("history-page");
            assert_eq!((&page["stream"], &page["position"]["offset"]), (&json!(stream), &json!(5)));
            seen.extend(offsets(&page));
            if page["more"] == false {
                break;
            }
            let epoch = page["position"]["epoch"].as_str().expect("an epoch");
            query = format!("limit=2&epoch={epoch}&offset={}", seen.last().expect("an offset"));
        }
        assert_eq!(seen, [1, 2, 3, 4, 5], "{stream}");
        let newest = get("limit=2&reverse=true").await.ok("history-page");
        assert_eq!((offsets(&newest), &newest["more"]), (vec![5, 4], &json!(true)));
        let epoch = newest["position"]["epoch"].as_str().expect("an epoch");
        let older = get(&format!("reverse=true&epoch={epoch}&offset=2")).await.ok("history-page");
        assert_eq!((offsets(&older), &older["more"]), (vec![1], &json!(false)));
        get(&format!("epoch={epoch}&offset=6")).await.refused("position_expired");
        get("epoch=another&offset=0").await.refused("position_expired");
        assert_eq!(get("offset=1").await.refused("bad_request")["errors"][0]["path"], "/epoch");
        get("limit=-1").await.refused("bad_request");
    }
    world.get("/api/v1/topics/news/history").await.refused("not_found");
}

#[tokio::test]
async fn a_page_ends_at_its_bytes_and_a_larger_message_is_a_page_of_its_own() {
    let world = World::with(|config| {
        kept(100)(config);
        config.history.page_bytes = 1_000;
        config.history.page = 3;
    })
    .await;
    for text in ["x".repeat(300), "x".repeat(300), "x".repeat(2_000), "x".into(), "x".into(), "x".into(), "x".into()] {
        world.publish(json!("all"), "news", json!(text)).await;
    }
    let (mut pages, mut query) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/api/v1/all/history?{query}")).await.ok("history-page");
        pages.push(offsets(&page));
        if page["more"] == false {
            break;
        }
        let last = pages.last().and_then(|page| page.last()).expect("an offset");
        query = format!("epoch={}&offset={last}", page["position"]["epoch"].as_str().expect("an epoch"));
    }
    assert_eq!(pages, [vec![1, 2], vec![3], vec![4, 5, 6], vec![7]]);
}

#[tokio::test]
async fn a_client_reads_a_history_only_with_the_right() {
    let world = World::with(|config| {
        kept(100)(config);
        for namespace in config.namespaces.iter_mut().skip(1) {
            namespace.history.as_mut().expect("a history").read = realtime_core::policy::HistoryRead::Subscribers;
        }
    })
    .await;
    publish_kept(&world, json!({"topic": "order:1"}), 1).await;
    publish_kept(&world, json!({"user": "alice"}), 2).await;
    publish_kept(&world, json!({"role": "admin"}), 3).await;
    let read = |stream: &str| json!({"action": "history", "stream": stream});
    let mut alice = world.connect_with("alice", &json!({"roles": ["admin"], "grants": ["subscribe:order:*"]})).await;
    alice.subscribe("order:1").await;
    assert_eq!(alice.command(read("topic:order:1")).await["code"], "forbidden", "a subscription is not enough");
    for (stream, n) in [("user", 2), ("role:admin", 3)] {
        let page = alice.command(read(stream)).await;
        assert_eq!(
            (&page["publications"][0]["payload"], &page["publications"][0]["stream"]),
            (&json!(n), &json!(stream))
        );
    }
    let mut bob = world.connect_with("bob", &json!({"grants": ["history:order:*"]})).await;
    assert_eq!(offsets(&bob.command(read("topic:order:1")).await), [1]);
    assert_eq!(bob.command(read("role:admin")).await["code"], "forbidden", "the past of a role that bob has not");
    assert_eq!(offsets(&bob.command(read("user")).await), [0_u64; 0], "bob's own, and never alice's");
}
