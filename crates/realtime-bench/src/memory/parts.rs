//! The part of the server that a block of memory belongs to, by the functions on the stack that allocated it.

use super::dhat::Site;

/// A part of the server that holds memory for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    /// Whether it grows by doubling, as a table or a list does, and not by the same for each connection.
    pub(crate) doubles: bool,
}

/// Blocks that match no rule.
pub(crate) const OTHER: Part = part("other", "matches no rule");

const fn part(group: &'static str, name: &'static str) -> Part {
    Part { group, name, doubles: false }
}

const fn table(group: &'static str, name: &'static str) -> Part {
    Part { group, name, doubles: true }
}

/// A text in a stack frame, and the part that the block then belongs to. The allocating frame is tested first, then its
/// callers; for one frame the first rule that matches decides. Types come before files: a type says what the block *is*,
/// a file only which code made it.
const RULES: &[(&str, Part)] = &[
    (
        "Cell<realtime_service::connection::running::Running<",
        part("task", "task cell, with session, socket and timer in it"),
    ),
    ("ArcInner<tokio::runtime::io::scheduled_io::ScheduledIo>", part("socket", "tokio's registration")),
    ("ArcInner<realtime_service::outbound::Outbound>", part("queue", "Outbound")),
    ("ArcInner<realtime_schema::connection::Connection>", part("session", "connection record")),
    ("reserve<realtime_core::registry::Registered<", table("registry", "table of connections")),
    ("(realtime_schema::text::UserId, realtime_core::listeners::ListenerSet<", table("registry", "table of users")),
    ("(realtime_schema::text::Role, realtime_core::listeners::ListenerSet<", table("registry", "table of roles")),
    ("(realtime_schema::topic::Topic, realtime_core::listeners::ListenerSet<", table("registry", "table of topics")),
    ("reserve<realtime_core::pubsub::Attached<", table("registry", "table of subscriptions")),
    ("reserve<u32,", table("registry", "listeners' positions in large sets")),
    ("realtime-core/src/listeners.rs", table("registry", "listeners of large sets")),
    ("(realtime_schema::text::UserId, usize)", table("registry", "connections per user, for the limit")),
    ("IpAddr, usize)", table("registry", "connections per address, for the limit")),
    ("realtime-core/src/outbound.rs", part("queue", "space for frames")),
    ("realtime-core/src/frame.rs", part("queue", "frames that wait")),
    ("realtime-schema/src/text.rs", part("session", "text of names: user, topic, type")),
    ("realtime-core/src/connection.rs", part("session", "roles of the record")),
    ("realtime-core/src/session.rs", part("session", "grants of the session")),
    ("realtime-core/src/session/", part("session", "grants of the session")),
    ("realtime-adapters/src/jwt/", part("session", "claims")),
    ("realtime-service/src/intern.rs", table("session", "names that tokens share")),
    ("realtime-core/src/pubsub.rs", part("registry", "subscriptions of a connection")),
    ("realtime-adapters/src/local/", part("registry", "shards")),
    ("realtime-adapters/src/ws/", part("socket", "WebSocket while it reads, handshake")),
    ("hyper-", part("socket", "HTTP of the handshake")),
    ("realtime-service/src/", part("session", "the service's rest")),
];

/// Every part, in the order of the table.
pub(crate) fn parts() -> Vec<Part> {
    let mut all: Vec<Part> = Vec::new();
    for group in ["task", "session", "socket", "queue", "registry"] {
        for (_, part) in RULES.iter().filter(|(_, part)| part.group == group) {
            if !all.contains(part) {
                all.push(*part);
            }
        }
    }
    all.push(OTHER);
    all
}

/// The part that the blocks of a site belong to.
pub(crate) fn part_of(site: &Site) -> Part {
    let of_frame = |frame: &String| RULES.iter().find(|(text, _)| frame.contains(text)).map(|(_, part)| *part);
    site.frames.iter().find_map(of_frame).unwrap_or(OTHER)
}

/// The overhead of glibc's allocator for a block: a header of 8, up to the next 16, at least 32 in all.
pub(crate) fn overhead(site: &Site) -> u64 {
    let size = site.bytes / site.blocks.max(1);
    let chunk = (size + 8).next_multiple_of(16).max(32);
    (chunk - size) * site.blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::dhat;

    /// Stacks of a release build with 300 connections, shortened to the frames up to the one that decides.
    const SAMPLE: &str = include_str!("sample.json");

    fn sample() -> Vec<(Part, Site)> {
        let sites = dhat::parse(SAMPLE).expect("the sample");
        sites.into_iter().map(|site| (part_of(&site), site)).collect()
    }

    #[test]
    fn each_block_of_a_connection_has_its_part() {
        let sample = sample();
        let mut found: Vec<_> = sample.iter().map(|(part, site)| (part.group, part.name, site.bytes / 300)).collect();
        found.sort_unstable();
        assert_eq!(found, EXPECTED);
    }

    /// Room, part, and bytes for each of the connections; also of what is there once.
    const EXPECTED: &[(&str, &str, u64)] = &[
        ("queue", "Outbound", 152),
        ("queue", "space for frames", 32),
        ("registry", "connections per user, for the limit", 42),
        ("registry", "listeners of large sets", 109),
        ("registry", "listeners' positions in large sets", 71),
        ("registry", "shards", 27),
        ("registry", "table of connections", 66),
        ("registry", "table of subscriptions", 109),
        ("registry", "table of topics", 83),
        ("registry", "table of users", 81),
        ("session", "claims", 12),
        ("session", "connection record", 120),
        ("session", "grants of the session", 32),
        ("session", "roles of the record", 32),
        ("session", "text of names: user, topic, type", 29),
        ("session", "the service's rest", 7),
        ("socket", "WebSocket while it reads, handshake", 218),
        ("socket", "tokio's registration", 256),
        ("task", "task cell, with session, socket and timer in it", 640),
    ];

    #[test]
    fn an_unknown_block_is_other_and_nothing_is_lost() {
        let unknown = Site { bytes: 5, blocks: 1, frames: vec!["malloc".into(), "main (main.rs:1)".into()] };
        assert_eq!(part_of(&unknown), OTHER);
        assert!(parts().contains(&OTHER));
        assert!(sample().iter().all(|(part, _)| parts().contains(part)));
    }

    #[test]
    fn the_allocation_decides_before_its_callers() {
        let frames =
            ["OutboundQueue::push (realtime-core/src/outbound.rs:76)", "open (realtime-adapters/src/ws/x.rs:1)"];
        let site = Site { bytes: 32, blocks: 1, frames: frames.map(str::to_owned).to_vec() };
        assert_eq!(part_of(&site).group, "queue");
    }

    #[test]
    fn the_allocators_share_is_its_header_and_the_rounding() {
        let of = |bytes, blocks| overhead(&Site { bytes, blocks, frames: Vec::new() });
        assert_eq!([of(24, 1), of(32, 1), of(8, 1), of(640, 1)], [8, 16, 24, 16]);
        assert_eq!(of(48, 2), 16);
        assert_eq!(of(0, 0), 0);
    }
}
