//! The bytes of each version, once and for all. Two things are held apart: every file under
//! `tests/golden/` decodes to the value named here, for ever; and a value encodes to the lowest
//! version that holds it, so a new version adds files and changes none.
//!
//! A file that fails here is a format that changed: give the new form a new version instead, and
//! keep the file. `UPDATE_GENERATED=1` writes files that are missing, and never any other.
#![expect(
    clippy::disallowed_methods,
    reason = "the golden files are files; the core itself reads none"
)]

use std::fmt::Debug;
use std::fs;

use crate::support::{at, attributes, golden_file, id, name};
use streamgate_core::codec::{
    CodecError, decode_delta, decode_ledger, encode_delta, encode_ledger,
};
use streamgate_core::{
    Attributes, EndReason, Ending, Event, Ledger, Seconds, Session, SessionId, SessionMetadata,
};

/// 2026-11-21T06:30:00.000Z
const T: u64 = 1_795_242_600_000;
const UUID: &str = "01930c3e-7a5b-7c4d-8e9f-0a1b2c3d4e5f";

/// The beginnings of the names of files: the version, then what it is.
const LEDGER: &str = "v1-ledger";
const DELTA: &str = "v1-delta";
const LEDGER_2: &str = "v2-ledger";
const DELTA_2: &str = "v2-delta";

/// The rest of a file's name, what is in it, and the value.
type Case<T> = (&'static str, &'static str, T);

/// Every fact that version 1 holds. Not those of `support`, which has all that there ever will be.
fn all_metadata() -> SessionMetadata {
    SessionMetadata {
        device_id: Some(name("d-81")),
        device_name: Some(name("Televisão da sala")),
        device_class: Some(name("tv")),
        content_id: Some(name("episode:s01e02")),
        content_type: Some(name("episode")),
        region: None,
        attributes: attributes(&[("app", "9.1"), ("empty", ""), ("país", "PT")]),
    }
}

/// A session with what version 2 adds, and with all of `metadata`.
fn in_region(metadata: SessionMetadata) -> Session {
    with_metadata(SessionMetadata {
        region: Some(name("eu-west")),
        ..metadata
    })
}

fn session(id: SessionId) -> Session {
    Session {
        id,
        started_at: at(T),
        last_seen_at: at(T + 30_000),
        expires_at: at(T + 120_000),
        lease: Seconds(90),
        metadata: None,
    }
}

fn with_metadata(metadata: SessionMetadata) -> Session {
    Session {
        metadata: Some(metadata.into()),
        ..session(id(UUID))
    }
}

fn live(sessions: Vec<Session>) -> Ledger {
    Ledger {
        live: sessions,
        ..Ledger::default()
    }
}

fn ended(reason: EndReason, taken_by: Option<SessionId>) -> Ledger {
    let expired = reason == EndReason::Expired;
    Ledger {
        ended: vec![Ending {
            id: id(UUID),
            ended_at: at(T + 120_000),
            reason,
            taken_by,
            session: expired.then(|| Box::new(with_metadata(all_metadata()))),
        }],
        ..Ledger::default()
    }
}

fn everything() -> Ledger {
    let endings = [
        ended(EndReason::Expired, None),
        ended(EndReason::Evicted, Some(id("tv-1"))),
        ended(EndReason::Stopped, None),
    ];
    let mut ended: Vec<Ending> = endings.into_iter().flat_map(|l| l.ended).collect();
    ended[1].id = id("phone");
    ended[2].id = SessionId::from_uuid_bytes([0xff; 16]);
    let later = Session {
        started_at: at(T + 1_000),
        ..session(id("tv-1"))
    };
    Ledger {
        limit: Some(3),
        plan: Some(name("premium")),
        profile: attributes(&[("email", "ana@example.com"), ("vip", "")]),
        live: vec![session(SessionId::from_uuid_bytes([0; 16])), later],
        ended,
    }
}

fn ledgers() -> Vec<Case<Ledger>> {
    let mut cases = ledgers_of_users();
    cases.extend(ledgers_of_sessions());
    cases.extend(ledgers_of_endings());
    cases.push((
        "everything",
        "Limit, plan, profile, two live, three ended.",
        everything(),
    ));
    cases
}

fn ledgers_of_users() -> Vec<Case<Ledger>> {
    let limit = |limit| Ledger {
        limit: Some(limit),
        ..Ledger::default()
    };
    let plan = Ledger {
        plan: Some(name("premium")),
        ..Ledger::default()
    };
    let profile = Ledger {
        profile: attributes(&[("email", "ana@example.com"), ("vip", "")]),
        ..Ledger::default()
    };
    vec![
        ("limit", "A limit of 7 and nothing else.", limit(7)),
        ("limit-blocked", "A limit of 0: blocked.", limit(0)),
        ("limit-highest", "The highest limit, 1,000.", limit(1_000)),
        ("plan", "A plan and nothing else.", plan),
        (
            "profile",
            "A profile of two entries, one of them empty.",
            profile,
        ),
    ]
}

fn ledgers_of_sessions() -> Vec<Case<Ledger>> {
    let some_metadata = SessionMetadata {
        device_name: Some(name("phone")),
        content_type: Some(name("live")),
        ..SessionMetadata::default()
    };
    let graced = Session {
        expires_at: at(T + 30_000 + 89_999),
        ..session(id(UUID))
    };
    let ends_of_time = Session {
        started_at: at(0),
        last_seen_at: at(u64::MAX),
        expires_at: at(u64::MAX),
        ..session(id(UUID))
    };
    let named = |text: &str| live(vec![session(id(text))]);
    let knowing = |metadata| live(vec![with_metadata(metadata)]);
    vec![
        ("session-uuid", "A session named by a UUID.", named(UUID)),
        (
            "session-text",
            "A session named by a text.",
            named("sofá 📺"),
        ),
        (
            "session-upper",
            "A UUID in upper case is a text.",
            named(&UUID.to_uppercase()),
        ),
        (
            "session-longest",
            "A name of 128 bytes.",
            named(&"x".repeat(128)),
        ),
        (
            "facts-all",
            "Every fact, and attributes.",
            knowing(all_metadata()),
        ),
        (
            "facts-some",
            "A device name and a content type.",
            knowing(some_metadata),
        ),
        (
            "facts-empty",
            "Facts that say nothing.",
            knowing(SessionMetadata::default()),
        ),
        (
            "graced",
            "A lease that ends at a time of its own.",
            live(vec![graced]),
        ),
        (
            "ends-of-time",
            "Times of 1970 and of the end of 9999.",
            live(vec![ends_of_time]),
        ),
    ]
}

fn ledgers_of_endings() -> Vec<Case<Ledger>> {
    let taken = |reason| ended(reason, Some(id("tv-1")));
    let plain = |reason| ended(reason, None);
    vec![
        (
            "stopped",
            "Stopped by its player.",
            plain(EndReason::Stopped),
        ),
        (
            "expired",
            "Expired, with what a revival needs.",
            plain(EndReason::Expired),
        ),
        ("evicted", "Evicted for tv-1.", taken(EndReason::Evicted)),
        (
            "evicted-above-limit",
            "Evicted above a lowered limit, for no other session.",
            plain(EndReason::Evicted),
        ),
        (
            "terminated",
            "Terminated for tv-1.",
            taken(EndReason::Terminated),
        ),
        (
            "revoked",
            "Revoked by an operator.",
            plain(EndReason::Revoked),
        ),
    ]
}

fn end(reason: EndReason, taken_by: Option<SessionId>) -> Ending {
    Ending {
        id: id(UUID),
        ended_at: at(T + 120_000),
        reason,
        taken_by,
        session: None,
    }
}

fn end_event(reason: EndReason, taken_by: Option<SessionId>) -> Event {
    Event::Ended(end(reason, taken_by))
}

fn made_final(reason: EndReason, taken_by: Option<SessionId>) -> Event {
    Event::MadeFinal(end(reason, taken_by))
}

fn deltas() -> Vec<Case<Vec<Event>>> {
    let set = Event::UserSet {
        limit: Some(1_000),
        plan: Some(name("premium")),
        profile: attributes(&[("email", "ana@example.com")]),
    };
    let cleared = Event::UserSet {
        limit: None,
        plan: None,
        profile: Attributes::default(),
    };
    let started = |session| vec![Event::Started(session)];
    let revived = vec![Event::Revived(session(id("tv-1")))];
    let several = vec![
        end_event(EndReason::Expired, None),
        end_event(EndReason::Terminated, Some(id("tv-1"))),
        Event::Started(session(id("tv-1"))),
    ];
    let mut cases = deltas_of_endings();
    cases.extend([
        ("started", "A bare start.", started(session(id(UUID)))),
        (
            "started-facts",
            "A start with every fact.",
            started(with_metadata(all_metadata())),
        ),
        ("revived", "A session that came back.", revived),
        ("user-set", "Limit, plan and profile set.", vec![set]),
        (
            "user-cleared",
            "Limit, plan and profile cleared.",
            vec![cleared],
        ),
        ("user-erased", "The user erased.", vec![Event::UserErased]),
        (
            "several",
            "One expired, one gave way, one started.",
            several,
        ),
    ]);
    cases
}

fn deltas_of_endings() -> Vec<Case<Vec<Event>>> {
    let plain = |reason| vec![end_event(reason, None)];
    let taken = |reason, by| vec![end_event(reason, Some(id(by)))];
    vec![
        (
            "stopped",
            "Stopped by its player.",
            plain(EndReason::Stopped),
        ),
        ("expired", "Expired.", plain(EndReason::Expired)),
        (
            "evicted",
            "Evicted for tv-1.",
            taken(EndReason::Evicted, "tv-1"),
        ),
        (
            "evicted-above-limit",
            "Evicted above a lowered limit, for no other session.",
            plain(EndReason::Evicted),
        ),
        (
            "terminated",
            "Terminated for a UUID.",
            taken(EndReason::Terminated, UUID),
        ),
        (
            "revoked",
            "Revoked by an operator.",
            plain(EndReason::Revoked),
        ),
        (
            "sealed",
            "An expired session stopped, another given up for tv-1.",
            vec![
                made_final(EndReason::Stopped, None),
                made_final(EndReason::Terminated, Some(id("tv-1"))),
            ],
        ),
    ]
}

/// What needs version 2.
fn ledgers_2() -> Vec<Case<Ledger>> {
    let knowing = |metadata| live(vec![in_region(metadata)]);
    let mut expired = ended(EndReason::Expired, None);
    expired.ended[0].session = Some(Box::new(in_region(SessionMetadata::default())));
    let mut beside = knowing(SessionMetadata::default());
    beside.live.insert(0, session(id("tv-1")));
    vec![
        (
            "region",
            "A session with a region and nothing else.",
            knowing(SessionMetadata::default()),
        ),
        (
            "metadata-all",
            "Every field of metadata.",
            knowing(all_metadata()),
        ),
        (
            "expired",
            "Expired, with the region that a revival needs.",
            expired,
        ),
        (
            "beside",
            "A session with a region behind one that version 1 holds.",
            beside,
        ),
    ]
}

/// What needs version 2.
fn deltas_2() -> Vec<Case<Vec<Event>>> {
    vec![
        (
            "started",
            "A start with every field of metadata.",
            vec![Event::Started(in_region(all_metadata()))],
        ),
        (
            "several",
            "One gave way to a session with a region.",
            vec![
                end_event(EndReason::Terminated, Some(id("tv-1"))),
                Event::Started(in_region(SessionMetadata::default())),
            ],
        ),
    ]
}

fn all_ledgers() -> [(&'static str, Vec<Case<Ledger>>); 2] {
    [(LEDGER, ledgers()), (LEDGER_2, ledgers_2())]
}

fn all_deltas() -> [(&'static str, Vec<Case<Vec<Event>>>); 2] {
    [(DELTA, deltas()), (DELTA_2, deltas_2())]
}

/// The bytes of a golden file; writes it first where it is missing and that is asked for.
fn committed(name: &str, comment: &str, encoded: &[u8]) -> Vec<u8> {
    let path = golden_file::path(name);
    if !path.exists() {
        assert!(
            std::env::var_os("UPDATE_GENERATED").is_some(),
            "{path:?} is missing; run this test with UPDATE_GENERATED=1 to write it, \
             read it byte by byte, and commit it"
        );
        fs::write(&path, golden_file::text(comment, encoded)).expect("a writable folder");
    }
    let text = fs::read_to_string(&path).expect("a readable file");
    let is_commented = text.starts_with("# ");
    assert!(is_commented, "{path:?} does not say what it is");
    golden_file::parse(&text)
}

/// The name of a case's file, what is in it, and what the value encodes to.
fn bytes_of<T>(
    kind: &str,
    (name, comment, value): &Case<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> (String, Vec<u8>, Vec<u8>) {
    let name = format!("{kind}-{name}");
    let encoded = encode(value);
    let bytes = committed(&name, comment, &encoded);
    (name, bytes, encoded)
}

fn encoded_ledger(ledger: &Ledger) -> Vec<u8> {
    encode_ledger(ledger).expect("not empty")
}

#[test]
fn golden_files_of_every_version_decode() {
    fn all_decode<T: PartialEq + Debug>(
        kinds: &[(&str, Vec<Case<T>>)],
        encode: impl Fn(&T) -> Vec<u8>,
        decode: impl Fn(&[u8]) -> Result<T, CodecError>,
    ) {
        for (kind, case) in each(kinds) {
            let (name, bytes, _) = bytes_of(kind, case, &encode);
            assert_eq!(decode(&bytes).as_ref(), Ok(&case.2), "{name} decodes");
        }
    }
    all_decode(&all_ledgers(), encoded_ledger, decode_ledger);
    all_decode(&all_deltas(), |events| encode_delta(events), decode_delta);
}

#[test]
fn values_encode_to_the_lowest_version_that_holds_them() {
    fn all_encode<T>(kinds: &[(&str, Vec<Case<T>>)], encode: impl Fn(&T) -> Vec<u8>) {
        for (kind, case) in each(kinds) {
            let (name, bytes, encoded) = bytes_of(kind, case, &encode);
            assert_eq!(encoded, bytes, "{name} encodes");
            let version = format!("v{}-", encoded[0]);
            assert!(name.starts_with(&version), "{name} is of version {version}");
        }
    }
    all_encode(&all_ledgers(), encoded_ledger);
    all_encode(&all_deltas(), |events| encode_delta(events));
}

/// Each case, with its kind.
fn each<'a, T>(
    kinds: &'a [(&'a str, Vec<Case<T>>)],
) -> impl Iterator<Item = (&'a str, &'a Case<T>)> {
    let each = |(kind, cases): &'a (&'a str, Vec<Case<T>>)| cases.iter().map(|case| (*kind, case));
    kinds.iter().flat_map(each)
}

/// A file that no test knows would guard nothing.
#[test]
fn every_golden_file_is_known() {
    let (ledgers, deltas) = (all_ledgers(), all_deltas());
    let ledgers = each(&ledgers).map(|(kind, (name, ..))| format!("{kind}-{name}"));
    let deltas = each(&deltas).map(|(kind, (name, ..))| format!("{kind}-{name}"));
    let mut known: Vec<String> = ledgers.chain(deltas).collect();
    known.sort();
    let files = golden_file::all();
    let files: Vec<String> = files.into_iter().map(|(name, _)| name).collect();
    assert_eq!(files, known);
}
