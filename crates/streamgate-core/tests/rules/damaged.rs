//! Bytes that are not those of a record or a delta: an error, never a panic, and never memory in
//! the measure of a number that the bytes only claim.

use crate::support::{at, golden_file};
use proptest::prelude::*;
use streamgate_core::codec::{
    CodecError, NEWEST, OLDEST, apply_delta, check_version, decode_delta, decode_ledger,
    encode_delta, encode_ledger, grant_grace,
};

/// The version of all bytes below.
const V1: u8 = 1;

/// Any time; recovery must not fail whatever the clock shows.
const NOW_MS: u64 = 1_800_000_000_000;

/// Reads bytes in every way there is. What can be read must be a fixed point: its own bytes read
/// the same again, so damage never grows.
fn read(bytes: &[u8]) -> (Result<(), CodecError>, Result<(), CodecError>) {
    let ledger = decode_ledger(bytes).map(|ledger| {
        let record = encode_ledger(&ledger).expect("a record is not empty");
        assert_eq!(decode_ledger(&record), Ok(ledger.clone()), "{bytes:x?}");
        let graced = decode_ledger(&grant_grace(bytes, at(NOW_MS)).expect("it was read").record);
        assert_eq!(graced.expect("own bytes").live.len(), ledger.live.len());
    });
    let delta = decode_delta(bytes).map(|events| {
        assert_eq!(
            decode_delta(&encode_delta(&events)),
            Ok(events),
            "{bytes:x?}"
        );
        assert_eq!(apply_delta(None, bytes).map(|_| ()), Ok(()));
    });
    (ledger, delta)
}

fn is_ledger(name: &str) -> bool {
    name.contains("-ledger-")
}

#[test]
fn every_truncation_is_an_error() {
    for (name, bytes) in golden_file::all() {
        for len in 0..bytes.len() {
            let (ledger, delta) = read(&bytes[..len]);
            let result = if is_ledger(&name) { ledger } else { delta };
            assert!(result.is_err(), "the first {len} bytes of {name}");
        }
    }
}

#[test]
fn every_trailing_byte_is_an_error() {
    for (name, mut bytes) in golden_file::all() {
        bytes.extend([0; 3]);
        let (ledger, delta) = read(&bytes);
        let result = if is_ledger(&name) { ledger } else { delta };
        assert_eq!(result, Err(CodecError::TrailingBytes(3)), "{name}");
    }
}

#[test]
fn no_change_of_a_single_byte_panics() {
    let (mut read_ok, mut read_err) = (0_u32, 0_u32);
    for (name, bytes) in golden_file::all() {
        for at in 0..bytes.len() {
            for flip in 1..=u8::MAX {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                let (ledger, delta) = read(&damaged);
                let result = if is_ledger(&name) { ledger } else { delta };
                *(if result.is_ok() {
                    &mut read_ok
                } else {
                    &mut read_err
                }) += 1;
            }
        }
    }
    // Times and texts can change unseen (checksums are the log's), structure cannot.
    assert!(
        read_ok > 0 && read_err > 0,
        "{read_ok} read, {read_err} not"
    );
}

#[test]
fn a_newer_version_is_told_from_damage() {
    for (name, mut bytes) in golden_file::all() {
        for version in NEWEST + 1..32 {
            bytes[0] = version;
            let newer = Err(CodecError::NewerVersion(version));
            assert_eq!(read(&bytes), (newer, newer), "{name}");
            assert_eq!(check_version(&bytes), newer, "{name}");
        }
        for no_version in [0, b' ', b'{', u8::MAX] {
            bytes[0] = no_version;
            let damaged = Err(CodecError::Invalid("the version"));
            assert_eq!(read(&bytes), (damaged, damaged), "{name}");
        }
    }
    let words = CodecError::NewerVersion(7).to_string();
    assert!(words.contains("(format 7)"), "{words}");
    assert!(words.contains(&format!("up to {NEWEST}")), "{words}");
}

#[test]
fn a_version_has_no_fields_of_a_newer_one() {
    for (name, mut bytes) in golden_file::all() {
        if bytes[0] > OLDEST {
            bytes[0] -= 1;
            let (ledger, delta) = read(&bytes);
            let invalid = Err(CodecError::Invalid("the flags of metadata"));
            assert!(
                ledger == invalid || delta == invalid,
                "{name}: {ledger:?}, {delta:?}"
            );
        }
    }
}

#[test]
fn nothing_is_neither_a_record_nor_a_delta() {
    assert_eq!(decode_ledger(&[]), Err(CodecError::Truncated));
    assert_eq!(decode_delta(&[]), Err(CodecError::Truncated));
    assert_eq!(decode_ledger(&[V1]), Err(CodecError::Truncated));
    assert_eq!(decode_delta(&[V1]), Err(CodecError::Truncated));
    let no_events = decode_delta(&[V1, 0]);
    assert!(
        matches!(no_events, Err(CodecError::Invalid(_))),
        "{no_events:?}"
    );
    assert_eq!(
        apply_delta(Some(&[]), &[V1, 1, 5]),
        Err(CodecError::Truncated)
    );
    assert_eq!(grant_grace(&[], at(NOW_MS)), Err(CodecError::Truncated));
}

/// Four billion sessions, endings, entries or bytes of text, claimed in five bytes.
#[test]
fn a_claimed_count_reserves_nothing() {
    const MOST: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let claims: [&[u8]; 4] = [
        &[V1, 0],    // live sessions
        &[V1, 0, 0], // endings
        &[V1, 4],    // entries of the profile
        &[V1, 2],    // bytes of the plan
    ];
    for claim in claims {
        let bytes = [claim, &MOST, &[0; 100]].concat();
        assert_eq!(
            decode_ledger(&bytes),
            Err(CodecError::Truncated),
            "{claim:?}"
        );
    }
    let events = [&[V1], &MOST[..], &[0; 100]].concat();
    assert_eq!(decode_delta(&events), Err(CodecError::Truncated));
}

#[test]
fn what_no_ledger_holds_is_refused() {
    let cases: [(&str, &[u8]); 9] = [
        ("an unknown flag", &[V1, 8, 0, 0]),
        ("a limit of 1,001", &[V1, 1, 0xe9, 0x07, 0, 0]),
        (
            "a number of 33 bits",
            &[V1, 1, 0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0],
        ),
        (
            "a number of six bytes",
            &[V1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 0],
        ),
        ("an empty plan", &[V1, 2, 0, 0, 0]),
        ("a plan with a control character", &[V1, 2, 1, 0x7f, 0, 0]),
        ("a plan that is no UTF-8", &[V1, 2, 1, 0xff, 0, 0]),
        (
            "a stopped session that can be revived",
            &[
                V1, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 2, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 90,
            ],
        ),
        (
            "an expired session that cannot",
            &[V1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, b'a'],
        ),
    ];
    for (what, bytes) in cases {
        let result = decode_ledger(bytes);
        assert!(
            matches!(result, Err(CodecError::Invalid(_))),
            "{what}: {result:?}"
        );
    }
    let after_9999 = [&[V1, 0, 0, 1, 0][..], &[0xff; 6], &[1, b'a']].concat();
    let result = decode_ledger(&after_9999);
    assert!(matches!(result, Err(CodecError::Invalid(_))), "{result:?}");
}

#[test]
fn what_no_delta_holds_is_refused() {
    let cases: [(&str, &[u8]); 5] = [
        ("an unknown event", &[V1, 1, 9]),
        ("a limit of 1,001", &[V1, 1, 4, 1, 0xe9, 0x07, 0, 0]),
        (
            "an unknown mark of an optional part",
            &[V1, 1, 4, 2, 0, 0, 0],
        ),
        (
            "an unknown reason",
            &[V1, 1, 3, 1, b'a', 0, 0, 0, 0, 0, 0, 5, 0],
        ),
        ("an unknown flag of a session", &[V1, 1, 1, 4]),
    ];
    for (what, bytes) in cases {
        let result = decode_delta(bytes);
        assert!(
            matches!(result, Err(CodecError::Invalid(_))),
            "{what}: {result:?}"
        );
    }
}

#[test]
fn damage_on_either_side_of_a_replay_is_an_error() {
    let (record, delta) = ([V1, 1, 7, 0, 0], [V1, 1, 5]);
    assert_eq!(
        apply_delta(Some(&record), &delta),
        Ok(None),
        "an erased user"
    );
    assert_eq!(
        apply_delta(Some(&record[..4]), &delta),
        Err(CodecError::Truncated)
    );
    assert_eq!(
        apply_delta(Some(&record), &delta[..2]),
        Err(CodecError::Truncated)
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (ledger, delta) = read(&bytes);
        if let Some(first) = bytes.first() {
            let is_version = (OLDEST..=NEWEST).contains(first);
            prop_assert!(is_version || (ledger.is_err() && delta.is_err()));
            for version in OLDEST..=NEWEST {
                bytes[0] = version;
                let (ledger, delta) = read(&bytes);
                prop_assert!(ledger.is_err() || delta.is_err(), "no bytes are both");
            }
        }
    }

    /// Small numbers look like flags, tags and lengths, so they get further.
    #[test]
    fn random_small_bytes_never_panic(bytes in proptest::collection::vec(0_u8..8, 0..200)) {
        for version in OLDEST..=NEWEST {
            let (ledger, delta) = read(&[&[version], &bytes[..]].concat());
            prop_assert!(ledger.is_err() || delta.is_err(), "no bytes are both");
        }
    }

    #[test]
    fn a_stretch_written_over_a_golden_file_never_panics(
        which in any::<proptest::sample::Index>(),
        place in any::<proptest::sample::Index>(),
        stretch in proptest::collection::vec(any::<u8>(), 1..9),
    ) {
        let files = golden_file::all();
        let mut bytes = files[which.index(files.len())].1.clone();
        let from = place.index(bytes.len());
        let to = bytes.len().min(from + stretch.len());
        bytes.splice(from..to, stretch);
        let (ledger, delta) = read(&bytes);
        let is_version = (OLDEST..=NEWEST).contains(&bytes[0]);
        prop_assert!(is_version || (ledger.is_err() && delta.is_err()));
    }
}
