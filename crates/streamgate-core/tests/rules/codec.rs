//! What has bytes and what has none. The bytes themselves are in `golden.rs`.

use crate::support::{all_metadata, at, id};
use streamgate_core::codec::{CodecError, decode_ledger, encode_delta, encode_ledger, grant_grace};
use streamgate_core::{Event, Ledger, Seconds, Session};

const T: u64 = 1_795_242_600_000;

fn session() -> Session {
    Session {
        id: id("tv-1"),
        started_at: at(T),
        last_seen_at: at(T + 30_000),
        expires_at: at(T + 120_000),
        lease: Seconds(90),
        metadata: Some(all_metadata().into()),
    }
}

#[test]
fn an_empty_ledger_has_no_record() {
    assert_eq!(encode_ledger(&Ledger::default()), None);
    assert!(matches!(
        decode_ledger(&[1, 0, 0, 0]),
        Err(CodecError::Invalid(_))
    ));
    // A record that cannot be must be an error of its reader, not a panic.
    assert!(matches!(
        grant_grace(&[1, 0, 0, 0], at(T)),
        Err(CodecError::Invalid(_))
    ));
}

#[test]
fn what_a_crash_may_lose_is_in_no_delta() {
    let lost = [
        Event::Renewed {
            id: id("tv-1"),
            last_seen_at: at(T),
            expires_at: at(T + 90_000),
        },
        Event::Forgotten { before: at(T) },
    ];
    assert_eq!(encode_delta(&lost), [], "no event, no bytes");
    assert_eq!(encode_delta(&[]), []);
    let kept = Event::Started(session());
    let mixed = [&lost[..], std::slice::from_ref(&kept), &lost].concat();
    assert_eq!(encode_delta(&mixed), encode_delta(&[kept]));
}
