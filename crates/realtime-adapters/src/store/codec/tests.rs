//! The bytes of a batch: read as written, and never a panic.

use proptest::{collection::vec, option, prelude::*};

use super::*;

#[derive(Clone, Debug)]
enum Owned {
    Message { numbers: [u64; 4], at: i64, kind: String, except: Option<String>, text: String },
    Position([u64; 4]),
    Once { key: String, fingerprint: u128, expires_at: i64, receipt: String },
}

impl Owned {
    fn stored(&self) -> Stored<'_> {
        match self {
            Self::Message { numbers: [stream, epoch, offset, behind], at, kind, except, text } => {
                let first = offset.saturating_sub(*behind);
                let (stream, epoch, offset, at) = (*stream, *epoch, *offset, *at);
                Stored::Message(Message { stream, epoch, offset, first, at, kind, except: except.as_deref(), text })
            }
            Self::Position([stream, epoch, top, behind]) => {
                let (stream, epoch, top) = (*stream, *epoch, *top / 2);
                Stored::Position(Position { stream, epoch, top, first: (top + 1).saturating_sub(*behind) })
            }
            Self::Once { key, fingerprint, expires_at, receipt } => {
                Stored::Once(Once { key, fingerprint: *fingerprint, expires_at: *expires_at, receipt })
            }
        }
    }
}

fn owned() -> impl Strategy<Value = Owned> {
    let text = ".{0,40}";
    prop_oneof![
        (any::<[u64; 4]>(), any::<i64>(), text, option::of(".{1,9}"), text)
            .prop_map(|(numbers, at, kind, except, text)| Owned::Message { numbers, at, kind, except, text }),
        any::<[u64; 4]>().prop_map(Owned::Position),
        (text, any::<u128>(), any::<i64>(), text).prop_map(|(key, fingerprint, expires_at, receipt)| Owned::Once {
            key,
            fingerprint,
            expires_at,
            receipt
        }),
    ]
}

fn written(records: &[Owned]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(64);
    for record in records {
        writer.push(&record.stored());
    }
    writer.finish()
}

proptest! {
    #[test]
    fn a_batch_is_read_as_it_was_written(batch in vec(owned(), 0..20)) {
        let bytes = written(&batch);
        check(&bytes).expect("its own bytes are valid");
        let read: Result<Vec<_>, _> = records(&bytes).collect();
        let read = read.expect("its own bytes are read");
        let sum: usize = read.iter().map(|(_, bytes)| *bytes as usize).sum();
        prop_assert_eq!(sum + HEADER, bytes.len(), "the sizes add up");
        let read: Vec<_> = read.into_iter().map(|(record, _)| record).collect();
        prop_assert_eq!(read, batch.iter().map(Owned::stored).collect::<Vec<_>>());
    }

    #[test]
    fn a_changed_bit_is_noticed(batch in vec(owned(), 1..5), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = written(&batch);
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        prop_assert!(check(&bytes).is_err());
    }

    #[test]
    fn a_batch_that_was_cut_is_noticed(batch in vec(owned(), 1..5), at in any::<prop::sample::Index>()) {
        let bytes = written(&batch);
        prop_assert!(check(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn garbage_is_no_panic_even_with_a_right_checksum(garbage in vec(any::<u8>(), 0..200)) {
        let _ = check(&garbage);
        records(&garbage).for_each(drop);
        let mut writer = Writer::with_capacity(0);
        writer.0.extend_from_slice(&garbage);
        let bytes = writer.finish();
        check(&bytes).expect("the checksum is right");
        records(&bytes).for_each(drop);
    }
}

#[test]
fn what_a_newer_release_wrote_is_named_as_such() {
    let mut bytes = written(&[]);
    bytes[0] = 2;
    assert_eq!(check(&bytes), Err(Garbled::Version(2)));
}

#[test]
fn the_bytes_of_version_1_stay_as_they_are() {
    let message =
        Message { stream: 3, epoch: 300, offset: 7, first: 5, at: -1, kind: "note", except: None, text: "{}" };
    let mut writer = Writer::with_capacity(64);
    writer.push(&Stored::Message(message));
    writer.push(&Stored::Position(Position { stream: 3, epoch: 1, top: 7, first: 8 }));
    let bytes = writer.finish();
    assert_eq!(&bytes[HEADER..], b"\x01\x03\xac\x02\x07\x02\x01\x04note\x00\x02{}\x02\x03\x01\x07\x00");
    assert_eq!(bytes[0], 1);
}
