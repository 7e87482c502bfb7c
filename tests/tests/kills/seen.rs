//! What a client got of its streams, and what it must have got.

use std::collections::BTreeMap;

use serde_json::Value;

/// Messages to each of the three streams.
pub(crate) const MESSAGES: u64 = 1_000;

/// What the client got of each stream: the numbers, with `None` for a gap.
pub(crate) type Received = BTreeMap<String, Vec<Option<u64>>>;

/// What the client reported.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) received: Received,
    /// Gaps, and what should not be.
    pub(crate) odd: Vec<Value>,
    /// Tokens of the client that the server has refused because they had expired.
    pub(crate) expired: u64,
    /// Streams whose last message has come.
    pub(crate) complete: usize,
}

impl Seen {
    pub(crate) fn take(&mut self, line: Value) {
        if let (Some(stream), Some(n)) = (line["stream"].as_str(), line["n"].as_u64()) {
            self.received.entry(stream.to_owned()).or_default().push(Some(n));
            self.complete += usize::from(n == MESSAGES);
        } else if let Some(stream) = line["gap"].as_str() {
            self.received.entry(stream.to_owned()).or_default().push(None);
            self.odd.push(line);
        } else if let Some(count) = line["expired"].as_u64() {
            self.expired = count;
        } else if line["ack"].is_null() && line["welcome"].is_null() {
            self.odd.push(line);
        }
    }
}

/// Every message of each stream, in order, none twice.
pub(crate) fn assert_complete(seen: Seen) {
    assert_eq!(seen.odd, Vec::<Value>::new(), "no gap, no fault");
    let all: Vec<_> = (1..=MESSAGES).map(Some).collect();
    assert_eq!(seen.received.keys().collect::<Vec<_>>(), ["role:admin", "topic:order:1", "user"]);
    for (stream, numbers) in seen.received {
        assert_eq!(numbers, all, "{stream}");
    }
}

/// Each message that is missing is behind a gap.
pub(crate) fn assert_losses_have_gaps(seen: Seen) {
    assert!(seen.odd.iter().all(|line| line["fault"].is_null()), "{:?}", seen.odd);
    for (stream, numbers) in seen.received {
        let mut before = 0;
        for pair in numbers.windows(2) {
            before = pair[0].unwrap_or(before);
            if let [Some(one), Some(next)] = pair {
                // A publication whose response the kill has taken is repeated, and its key is forgotten with the rest.
                assert!(*next == one + 1 || *next == *one, "{stream}: {next} after {one} without a gap");
            }
            if let Some(next) = pair[1] {
                assert!(next >= before, "{stream}: {next} after {before}");
            }
        }
        assert_eq!(numbers.last(), Some(&Some(MESSAGES)), "{stream}");
    }
}
