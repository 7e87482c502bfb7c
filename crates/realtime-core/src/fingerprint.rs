//! The fingerprint of a publication, to find an idempotency key that is used again for another one.

use std::fmt::Write as _;

use realtime_schema::PublishRequest;

/// FNV-1a with 128 bits (draft-eastlake-fnv, section 3). Not for secrets: a publisher that seeks a collision affects only its own key.
struct Fnv(u128);

const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }
}

impl std::fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.bytes(text.as_bytes());
        // No UTF-8 text has this byte, so that two fields are never taken for one.
        self.bytes(&[0xff]);
        Ok(())
    }
}

/// The fingerprint of what is published: the recipients, the type, the payload, the excluded client, and whether it is
/// kept. The same in every release, because it is stored.
pub fn fingerprint(request: &PublishRequest) -> u128 {
    let mut hash = Fnv(OFFSET_BASIS);
    let to = serde_json::to_string(&request.to).expect("routes have text keys");
    let except = request.except_client.as_ref().map_or("", |client| client.as_str());
    let kept = if request.history { "kept" } else { "live" };
    for field in [to.as_str(), request.kind.as_str(), request.payload.as_str(), except, kept] {
        hash.write_str(field).expect("hashing does not fail");
    }
    hash.0
}

#[cfg(test)]
mod tests {
    use realtime_schema::{Payload, Route};

    use super::*;

    fn request() -> PublishRequest {
        PublishRequest::new(Route::All, "news".parse().expect("a type"), Payload::of(&1).expect("JSON"))
    }

    #[test]
    fn the_fingerprint_is_the_same_in_every_release() {
        assert_eq!(format!("{:032x}", fingerprint(&request())), "d32d1953c1b5e766a23a27a02ce89a37");
    }

    #[test]
    fn every_field_that_a_recipient_notices_changes_it() {
        let one = request();
        let others = [
            PublishRequest { to: Route::User("alice".parse().expect("a user")).into(), ..one.clone() },
            PublishRequest { kind: "olds".parse().expect("a type"), ..one.clone() },
            PublishRequest { payload: Payload::of(&2).expect("JSON"), ..one.clone() },
            PublishRequest { except_client: Some("tab".parse().expect("a client")), ..one.clone() },
            PublishRequest { history: false, ..one.clone() },
        ];
        for other in others {
            assert_ne!(fingerprint(&one), fingerprint(&other), "{other:?}");
        }
        let again = PublishRequest { idempotency_key: Some("key".into()), ..one.clone() };
        assert_eq!(fingerprint(&one), fingerprint(&again));
    }
}
