//! The bytes of a data directory and of a backup, once and for all. Two things are held apart:
//! what any version wrote is read, with exactly the records that it had; and the newest version
//! writes the same bytes for the same changes.
//!
//! `tests/golden/v1/` is what version 1 of the format made of one history:
//!
//! - `data/`: a directory whose store was closed: a snapshot, the log behind it, and a prepared
//!   segment;
//! - `backup.stream`: a backup from before that snapshot, as a server sends it;
//! - `backup/`: the directory that was received from it.
//!
//! Segments are cut behind their last batch, and get their zeros back before they are read.
//!
//! A file that fails here is a format that changed: give the new form a new version instead, and
//! keep the files. `UPDATE_GENERATED=1` writes files that are missing, and never any other.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamgate_clock::ManualClock;
use streamgate_core::codec::{apply_delta, decode_ledger, encode_delta};
use streamgate_core::ids::Name;
use streamgate_core::{
    Attributes, Durability, EndReason, Ending, Event, Ledger, Seconds, Session, SessionMetadata,
    TenantId,
};
use streamgate_store::{Change, Store, View};
use streamgate_store_embedded::tools::{check, receive, restore};
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore};
use tempfile::tempdir;

use crate::common::events::{PATIENCE, Snapshots, until_there};
use crate::common::{NOON, files, key, open, session as id, small};

/// The versions that there are golden files of, the newest last.
const VERSIONS: [&str; 1] = ["v1"];

/// The length of the segments.
const SEGMENT_BYTES: usize = 4 << 10;

/// The length of the header of each file.
const HEADER_BYTES: usize = 64;

const BACKUP_LIST: &str = "backup/BACKUP";
const BACKUP_STREAM: &str = "backup.stream";
const FIRST_SEGMENT: &str = "log-0000000000000001.sg";
const LAST_SEGMENT: &str = "log-0000000000000002.sg";
const PREPARED_SEGMENT: &str = "log-0000000000000003.sg";

/// Changes of users, in order.
type History = Vec<(&'static str, Vec<Event>)>;

/// The ledger of each user that has one.
type Ledgers = BTreeMap<String, Ledger>;

/// What happens before the backup and the snapshot.
fn history_before() -> History {
    let limit = Event::UserSet {
        limit: Some(2),
        plan: None,
        profile: Attributes::default(),
    };
    vec![
        ("anna", vec![limit]),
        ("anna", vec![Event::Started(television())]),
        ("ben", vec![Event::Started(session("phone"))]),
        ("ben", vec![Event::Ended(stopped("phone"))]),
        ("erin", vec![Event::Started(session("web"))]),
    ]
}

/// What happens behind the snapshot: to users that are in it, one of whom goes, and to a new one.
fn history_behind() -> History {
    let erased = vec![Event::Ended(stopped("web")), Event::UserErased];
    vec![
        ("anna", vec![Event::Started(session("tablet"))]),
        ("ben", vec![Event::Started(session("sofá 📺"))]),
        ("carl", vec![Event::Started(session("phone"))]),
        ("erin", erased),
    ]
}

fn ledgers_before() -> Ledgers {
    let anna = Ledger {
        limit: Some(2),
        live: vec![television()],
        ..Ledger::default()
    };
    let ben = Ledger {
        ended: vec![stopped("phone")],
        ..Ledger::default()
    };
    named([("anna", anna), ("ben", ben), ("erin", live("web"))])
}

fn ledgers_behind() -> Ledgers {
    let anna = Ledger {
        limit: Some(2),
        live: vec![television(), session("tablet")],
        ..Ledger::default()
    };
    let ben = Ledger {
        ended: vec![stopped("phone")],
        ..live("sofá 📺")
    };
    named([("anna", anna), ("ben", ben), ("carl", live("phone"))])
}

fn named(ledgers: [(&str, Ledger); 3]) -> Ledgers {
    let named = ledgers.map(|(user, ledger)| (user.to_owned(), ledger));
    named.into_iter().collect()
}

fn live(name: &str) -> Ledger {
    Ledger {
        live: vec![session(name)],
        ..Ledger::default()
    }
}

/// A session that has one lease from noon on: the lease of grace of a store that opens at noon.
fn session(name: &str) -> Session {
    let lease = Seconds(90);
    Session {
        id: id(name),
        started_at: NOON,
        last_seen_at: NOON,
        expires_at: NOON.plus(lease),
        lease,
        metadata: None,
    }
}

fn television() -> Session {
    let metadata = SessionMetadata {
        device_name: Some(Name::new("Televisão da sala").unwrap()),
        ..SessionMetadata::default()
    };
    Session {
        metadata: Some(metadata.into()),
        ..session("01930c3e-7a5b-7c4d-8e9f-0a1b2c3d4e5f")
    }
}

fn stopped(name: &str) -> Ending {
    Ending {
        id: id(name),
        ended_at: NOON,
        reason: EndReason::Stopped,
        taken_by: None,
        session: None,
    }
}

/// Without a sync for each change, so that no mark is written while the store is idle: the bytes
/// would depend on the time.
fn config(dir: &Path) -> EmbeddedConfig {
    EmbeddedConfig {
        segment_bytes: SEGMENT_BYTES as u64,
        durability: DurabilityMode::Os,
        ..small(dir)
    }
}

async fn make(store: &EmbeddedStore, history: History) {
    for (user, events) in history {
        let delta = encode_delta(&events);
        let mut step = |view: View<'_>| {
            Some(Change {
                record: apply_delta(view.record, &delta).unwrap(),
                delta: delta.clone(),
                durability: Durability::Durable,
                garbage_at: None,
                needs_room: true,
            })
        };
        store.transact(&key(user), &mut step).await.unwrap();
    }
}

async fn ledgers(store: &dyn Store) -> Ledgers {
    let tenant = TenantId::default_tenant();
    let page = store.scan(&tenant, None, 100).await.unwrap();
    let decoded = |(_, record): &(_, Vec<u8>)| decode_ledger(record).unwrap();
    let records = page.records.into_iter();
    records
        .map(|one| (one.0.user().to_owned(), decoded(&one)))
        .collect()
}

/// What this program writes, by the names of the golden files.
type Written = BTreeMap<String, Vec<u8>>;

/// Makes the history, in a directory with the hash seed of the golden files.
async fn written(base: &Path) -> Written {
    let data = base.join("data");
    fs::create_dir(&data).unwrap();
    let seeded = newest().join("backup").join(FIRST_SEGMENT);
    // Without golden files the seed is a new one.
    if let Ok(mut bytes) = fs::read(seeded) {
        bytes.truncate(HEADER_BYTES);
        bytes.resize(SEGMENT_BYTES, 0);
        fs::write(data.join(FIRST_SEGMENT), bytes).unwrap();
    }
    let (observer, snapshots) = Snapshots::new();
    let clock = Arc::new(ManualClock::at(NOON));
    let hook = Arc::new(|error| panic!("{error}"));
    let store = EmbeddedStore::open(config(&data), clock, observer, hook).unwrap();
    make(&store, history_before()).await;
    let stream = super::backup::read(&store).await;
    store.request_snapshot();
    snapshots.recv_timeout(PATIENCE).unwrap();
    make(&store, history_behind()).await;
    until_there(PREPARED_SEGMENT, |name| data.join(name).exists());
    store.close().await.unwrap();
    let backup = base.join("backup");
    receive(&mut stream.as_slice(), &backup).unwrap();

    let mut written = Written::new();
    for (folder, dir) in [("data", &data), ("backup", &backup)] {
        for name in files(dir) {
            let bytes = fs::read(dir.join(&name)).unwrap();
            let bytes = if name.starts_with("log-") {
                without_zeros(bytes)
            } else {
                bytes
            };
            written.insert(format!("{folder}/{name}"), bytes);
        }
    }
    let list = fs::read(backup.join("BACKUP")).unwrap();
    written.insert(BACKUP_LIST.to_owned(), list);
    written.insert(BACKUP_STREAM.to_owned(), stream);
    written
}

/// A segment up to the zeros behind its last batch. Batches begin at multiples of 8.
fn without_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |it| it + 1);
    bytes.truncate(used.next_multiple_of(8).max(HEADER_BYTES));
    bytes
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn newest() -> PathBuf {
    golden().join(VERSIONS.last().unwrap())
}

/// A copy of a golden directory, its segments as long as they were.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let mut bytes = fs::read(from.join(&name)).unwrap();
        if name.starts_with("log-") {
            bytes.resize(SEGMENT_BYTES, 0);
        }
        fs::write(to.join(name), bytes).unwrap();
    }
}

/// The bytes of a golden file; writes it first if it is missing and that is asked for.
fn committed(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = newest().join(name);
    if !path.exists() {
        assert!(
            std::env::var_os("UPDATE_GENERATED").is_some(),
            "{path:?} is missing; run this test with UPDATE_GENERATED=1 to write it, \
             read it byte by byte, and commit it"
        );
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    fs::read(path).unwrap()
}

/// The bytes of a file that are the same whichever release wrote it: of the list of a backup all
/// lines but its release and its checksum, of a stream no checksum of that list.
fn of_any_release(name: &str, bytes: &[u8]) -> Vec<u8> {
    const MARK_BYTES: usize = 8;
    let (mark, list, rest) = match name {
        BACKUP_LIST => (&bytes[..0], bytes, &bytes[..0]),
        BACKUP_STREAM => {
            let (mark, frame) = bytes.split_at(MARK_BYTES);
            let len = u32::from_le_bytes(*frame.first_chunk().unwrap());
            let (list, rest) = frame[8..].split_at(usize::try_from(len).unwrap());
            (mark, list, rest)
        }
        _ => return bytes.to_vec(),
    };
    let of_release = |line: &&str| line.starts_with("release ") || line.starts_with("crc32c ");
    let lines = std::str::from_utf8(list).unwrap().lines();
    let lines: Vec<&str> = lines.filter(|line| !of_release(line)).collect();
    [mark, lines.join("\n").as_bytes(), rest].concat()
}

#[tokio::test]
async fn the_same_changes_are_written_as_the_golden_bytes_of_the_newest_version() {
    let base = tempdir().unwrap();
    let written = written(base.path()).await;
    for (name, bytes) in &written {
        let golden = of_any_release(name, &committed(name, bytes));
        let bytes = of_any_release(name, bytes);
        let same = golden
            .iter()
            .zip(&bytes)
            .take_while(|(a, b)| a == b)
            .count();
        assert!(
            golden == bytes,
            "{name} differs from byte {same} on: {} bytes are golden, {} were written",
            golden.len(),
            bytes.len()
        );
    }
    // A file that no test knows would guard nothing.
    let known: Vec<String> = written.into_keys().collect();
    assert_eq!(names_below(&newest(), ""), known);
}

/// The names of the files of a directory and of its folders, in order.
fn names_below(dir: &Path, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            names.extend(names_below(&path, &format!("{name}/")));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

#[tokio::test]
async fn golden_directories_of_every_version_open_with_exactly_their_records() {
    for version in VERSIONS {
        let base = tempdir().unwrap();
        let golden = golden().join(version).join("data");
        let header = fs::read(golden.join(LAST_SEGMENT)).unwrap();
        let number = u32::from_le_bytes(*header[8..].first_chunk().unwrap());
        assert_eq!(
            version,
            format!("v{number}"),
            "the header names its version"
        );

        let data = base.path().join("data");
        copy(&golden, &data);
        let checked = check(&data).unwrap();
        assert!(checked.is_sound() && checked.torn.is_none(), "{checked}");
        let store = open(config(&data)).unwrap();
        let replayed = history_behind().len();
        assert_eq!(store.recovered().log_records, replayed as u64, "{version}");
        assert_eq!(ledgers(&store).await, ledgers_behind(), "{version}");

        // As a crash leaves it in the middle of a write: with the first half of a batch.
        let data = base.path().join("torn");
        copy(&golden, &data);
        let log = data.join(LAST_SEGMENT);
        let file = OpenOptions::new().write(true).open(log).unwrap();
        let batch = &header[HEADER_BYTES..][..48];
        file.write_all_at(batch, header.len() as u64).unwrap();
        let store = open(config(&data)).unwrap();
        assert!(store.recovered().torn_bytes > 0, "{version}");
        assert_eq!(ledgers(&store).await, ledgers_behind(), "{version}");
    }
}

#[tokio::test]
async fn golden_backups_of_every_version_are_restored_with_exactly_their_records() {
    for version in VERSIONS {
        let base = tempdir().unwrap();
        let golden = golden().join(version);
        let (kept, received) = (base.path().join("kept"), base.path().join("received"));
        copy(&golden.join("backup"), &kept);
        let stream = fs::read(golden.join(BACKUP_STREAM)).unwrap();
        receive(&mut stream.as_slice(), &received).unwrap();
        for backup in [kept, received] {
            let data = backup.with_extension("restored");
            let report = restore(&backup, &data).unwrap();
            assert_eq!((report.users, report.live_sessions), (3, 2), "{version}");
            assert_eq!(report.as_of_ms, NOON.as_millis(), "{version}");
            let store = open(config(&data)).unwrap();
            assert_eq!(ledgers(&store).await, ledgers_before(), "{version}");
        }
    }
}
