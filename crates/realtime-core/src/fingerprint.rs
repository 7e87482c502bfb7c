//! The fingerprint of a publication, to find an idempotency key that is used again for another one.

use realtime_schema::PublishRequest;
use twox_hash::XxHash3_128;

/// Ends a field: no UTF-8 text has this byte, so that two fields are never taken for one.
const END: u8 = 0xff;

/// The fingerprint of what is published: the recipients, the type, the payload, the excluded client, and whether it is
/// kept. The same in every release, because it is stored.
///
/// XXH3 with 128 bits and seed 0, whose results are fixed since xxHash 0.8.0 (xxhash_spec.md). Not for secrets: a publisher
/// that seeks a collision affects only its own key.
pub fn fingerprint(request: &PublishRequest) -> u128 {
    let to = serde_json::to_string(&request.to).expect("routes have text keys");
    let except = request.except_client.as_ref().map_or("", |client| client.as_str());
    let kept = if request.history { "kept" } else { "live" };
    // The payload by its own hash, which has a fixed length, so that a large one is not copied.
    let payload = XxHash3_128::oneshot(request.payload.as_str().as_bytes());
    let mut fields = payload.to_le_bytes().to_vec();
    for field in [to.as_str(), request.kind.as_str(), except, kept] {
        fields.extend_from_slice(field.as_bytes());
        fields.push(END);
    }
    XxHash3_128::oneshot(&fields)
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
        assert_eq!(format!("{:032x}", fingerprint(&request())), "f0e20ee9f7e430d996a68bc5e4218f99");
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
