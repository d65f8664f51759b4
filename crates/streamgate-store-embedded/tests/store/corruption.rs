//! Damage to durable data: recovery refuses it with file and offset, `check` lists it, `repair`
//! mends it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::common::events::{PATIENCE, Snapshots};
use crate::common::{
    Contents, NOON, contents, files, open, open_small, small, start, stop, with_mode,
};
use streamgate_clock::{ManualClock, Stopwatch};
use streamgate_store::Store;
use streamgate_store::conformance::a_newer_format_is_refused;
use streamgate_store_embedded::tools::{check, repair, stats};
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore, OpenError};
use tempfile::{TempDir, tempdir};

/// A closed directory with several segments, and with a snapshot if asked for; and its contents.
async fn prepared(with_snapshot: bool) -> (TempDir, Contents) {
    let dir = tempdir().unwrap();
    let (observer, snapshots) = Snapshots::new();
    let config = EmbeddedConfig {
        segment_bytes: 4 << 10,
        ..small(dir.path())
    };
    let clock = Arc::new(ManualClock::at(NOON));
    let hook = Arc::new(|error| panic!("{error}"));
    let store = EmbeddedStore::open(config, clock, observer, hook).unwrap();
    for user in 0..60 {
        start(&store, &format!("user-{user}"), "first")
            .await
            .unwrap();
        if with_snapshot && user == 40 {
            store.request_snapshot();
            assert_eq!(snapshots.recv_timeout(PATIENCE).unwrap(), 41);
        }
    }
    for user in 0..60 {
        start(&store, &format!("user-{user}"), "second")
            .await
            .unwrap();
        stop(&store, &format!("user-{user}"), "first")
            .await
            .unwrap();
    }
    let contents = contents(&store).await;
    store.close().await.unwrap();
    (dir, contents)
}

/// Flips a bit, as silent disk corruption does.
fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// The damage that opening reports: the file and the offset.
fn refused(dir: &Path) -> (PathBuf, Option<u64>) {
    match open(small(dir)) {
        Err(error @ OpenError::Damaged { .. }) => {
            let text = error.to_string();
            assert!(text.contains("streamgate store check"), "{text}");
            assert!(text.contains("streamgate store repair"), "{text}");
            let OpenError::Damaged { damage, .. } = error else {
                unreachable!("it was just matched")
            };
            assert!(text.contains(&damage.path.display().to_string()), "{text}");
            (damage.path, damage.offset)
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    }
}

/// Damage is done to a copy, so that each case begins with the same files.
fn copy(of: &Path) -> TempDir {
    let dir = tempdir().unwrap();
    crate::common::copy_dir(of, dir.path());
    dir
}

/// How many bytes of a file lie before the zeros at its end.
fn used(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at as u64 + 1)
}

#[tokio::test]
async fn a_flipped_byte_anywhere_is_refused_listed_and_repaired() {
    for with_snapshot in [false, true] {
        let (dir, whole) = prepared(with_snapshot).await;
        for name in files(dir.path()) {
            let used = used(&dir.path().join(&name));
            // The mark at the end of the log carries nothing: damage to it is a torn tail.
            for at in (0..used.saturating_sub(40)).step_by(401) {
                let dir = copy(dir.path());
                let path = dir.path().join(&name);
                flip(&path, at);
                let report = check(dir.path()).unwrap();
                let Err(error) = open(small(dir.path())) else {
                    // The zeros that fill a batch up carry nothing.
                    assert!(report.is_sound(), "{name} at {at}: {report}");
                    continue;
                };
                assert!(error.to_string().contains(&name), "{name} at {at}: {error}");
                let OpenError::Damaged { damage, .. } = error else {
                    panic!("{name} at {at}: {error}")
                };
                assert_eq!(report.problems.first(), Some(&damage), "{name} at {at}");
                assert!(
                    report.problems.iter().any(|problem| problem.path == path
                        && problem.offset.is_some_and(|offset| offset <= at)),
                    "{name} at {at}: {report}"
                );
                assert_eq!(
                    check(dir.path()).unwrap(),
                    report,
                    "a check changes nothing"
                );
                let repaired = repair(dir.path()).unwrap();
                assert_eq!(repaired.problems, report.problems);
                let aside = repaired.set_aside.clone().unwrap();
                assert!(aside.join(&name).exists(), "{repaired}");
                let store = open_small(dir.path());
                let kept = contents(&store).await;
                // One batch or one block is lost, and with it the users in it; no more.
                let lost = whole
                    .keys()
                    .filter(|user| whole.get(*user) != kept.get(*user))
                    .count();
                assert!(lost <= 45, "{name} at {at}: {lost} users lost\n{repaired}");
            }
        }
    }
}

#[tokio::test]
async fn most_flips_are_found_and_each_at_its_place() {
    let (dir, _) = prepared(false).await;
    let name = files(dir.path())[1].clone();
    flip(&dir.path().join(&name), 1_000);
    let (path, offset) = refused(dir.path());
    assert_eq!(path, dir.path().join(&name));
    assert!((850..=1_000).contains(&offset.unwrap()), "{offset:?}");
    let report = check(dir.path()).unwrap();
    assert_eq!(
        (report.problems.len(), report.problems[0].offset),
        (1, offset),
        "{report}"
    );
    let repaired = repair(dir.path()).unwrap();
    assert_eq!(repaired.lost.len(), 1, "{repaired}");
    assert!(check(dir.path()).unwrap().is_sound());
}

#[tokio::test]
async fn a_segment_that_is_cut_off_or_missing_is_refused() {
    let (dir, whole) = prepared(true).await;
    let segments: Vec<String> = files(dir.path())
        .into_iter()
        .filter(|name| name.starts_with("log"))
        .collect();
    // The last segment is prepared ahead and empty; the one before has the end of the log.
    for (index, name) in segments.iter().enumerate().take(segments.len() - 1) {
        let cut = copy(dir.path());
        let path = cut.path().join(name);
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(700)
            .unwrap();
        assert_eq!(refused(cut.path()), (path, Some(700)));
        let report = check(cut.path()).unwrap().to_string();
        assert!(report.contains("cut off"), "{report}");

        let missing = copy(dir.path());
        fs::remove_file(missing.path().join(name)).unwrap();
        assert_eq!(
            refused(missing.path()),
            (missing.path().join(name), None),
            "{index}"
        );
        assert!(!check(missing.path()).unwrap().is_sound());
        repair(missing.path()).unwrap();
        let kept = contents(&open_small(missing.path())).await;
        assert!(whole.keys().filter(|user| kept.contains_key(*user)).count() >= 41);
    }
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused_and_the_log_behind_it_is_kept() {
    let (dir, whole) = prepared(true).await;
    let snapshot = files(dir.path())
        .into_iter()
        .find(|name| name.starts_with("snap"))
        .unwrap();
    let path = dir.path().join(&snapshot);
    let len = fs::metadata(&path).unwrap().len();
    for cut_to in [0, 40, 64, 100, len - 1] {
        let dir = copy(dir.path());
        let path = dir.path().join(&snapshot);
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(cut_to)
            .unwrap();
        assert_eq!(refused(dir.path()).0, path);
        repair(dir.path()).unwrap();
        let kept = contents(&open_small(dir.path())).await;
        assert!(kept.len() >= 19 && kept.keys().all(|user| whole.contains_key(user)));
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_not_called_damaged_and_not_repaired() {
    let (dir, _) = prepared(false).await;
    let path = dir.path().join(&files(dir.path())[0]);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).unwrap();
    header[8] = 2;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..]);
    header[12..16].copy_from_slice(&sum.to_le_bytes());
    file.write_all_at(&header, 0).unwrap();
    let newer = |error: OpenError| {
        assert!(
            matches!(
                error,
                OpenError::NewerFormat {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("newer Streamgate"), "{error}");
    };
    let opened = open(small(dir.path())).map(|store| Arc::new(store) as Arc<dyn Store>);
    a_newer_format_is_refused(opened).await;
    newer(open(small(dir.path())).unwrap_err());
    newer(check(dir.path()).unwrap_err());
    newer(repair(dir.path()).unwrap_err());
}

#[tokio::test]
async fn a_torn_tail_is_no_damage_and_is_cut() {
    let (dir, whole) = prepared(false).await;
    // A prepared segment may be behind it, with a header only.
    let segments = files(dir.path()).into_iter().rev();
    let mut paths = segments.map(|name| dir.path().join(name));
    let last = paths.find(|path| used(path) > 64).unwrap();
    let end = used(&last).next_multiple_of(8);
    // Behind the mark that closing left, half a batch.
    OpenOptions::new()
        .write(true)
        .open(&last)
        .unwrap()
        .write_all_at(&[0xf5; 40], end)
        .unwrap();
    let report = check(dir.path()).unwrap();
    assert!(report.is_sound() && report.torn.is_some(), "{report}");
    assert_eq!(repair(dir.path()).unwrap().set_aside, None);
    let store = open_small(dir.path());
    assert_eq!(store.recovered().torn_bytes, 40);
    assert_eq!(contents(&store).await, whole);
    drop(store);
    assert_eq!(check(dir.path()).unwrap().torn, None);
}

/// Whether damage to the batch of this user is refused, and not cut as a torn tail.
fn is_proven(dir: &Path, user: &str) -> bool {
    let log = files(dir).swap_remove(0);
    let damaged = tempdir().unwrap();
    let path = damaged.path().join(&log);
    fs::copy(dir.join(&log), &path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut windows = bytes.windows(user.len());
    let at = windows.position(|window| window == user.as_bytes());
    flip(&path, at.expect("the log has the batch") as u64);
    matches!(open(small(damaged.path())), Err(OpenError::Damaged { .. }))
}

/// Not only closing proves the last batch: a process that is killed a moment after an acknowledged
/// start must not let damage to that start pass for a torn tail.
#[tokio::test]
async fn the_last_batch_of_a_running_store_is_proven_as_soon_as_it_is_idle() {
    let mut soonest = Duration::MAX;
    // The best of five, because a busy machine delays any of them.
    for _ in 0..5 {
        let dir = tempdir().unwrap();
        let store = open_small(dir.path());
        start(&store, "proven", "tv").await.unwrap();
        let since = Stopwatch::start();
        while !is_proven(dir.path(), "proven") {
            assert!(since.elapsed() < PATIENCE, "the batch is never proven");
            tokio::task::yield_now().await;
        }
        soonest = soonest.min(since.elapsed());
    }
    assert!(soonest < Duration::from_millis(100), "{soonest:?}");
}

/// Without syncs no batch says of an earlier one that it was on disk, however many there are.
#[tokio::test]
async fn the_batches_of_a_store_without_syncs_are_proven_once_it_is_idle() {
    let dir = tempdir().unwrap();
    let store = open(with_mode(dir.path(), DurabilityMode::Os)).unwrap();
    for user in ["first", "second", "third"] {
        start(&store, user, "tv").await.unwrap();
    }
    let since = Stopwatch::start();
    while !is_proven(dir.path(), "first") {
        assert!(since.elapsed() < PATIENCE, "the batch is never proven");
        tokio::task::yield_now().await;
    }
    drop(store);
    for user in ["first", "second", "third"] {
        assert!(is_proven(dir.path(), user), "{user}");
    }
}

#[tokio::test]
async fn stats_count_users_and_sessions() {
    let (dir, whole) = prepared(true).await;
    fs::write(dir.path().join("notes.txt"), "left alone").unwrap();
    let stats = stats(dir.path()).unwrap();
    assert_eq!((stats.users, stats.live_sessions), (60, 60));
    assert_eq!((stats.snapshot_users, stats.problems), (Some(41), 0));
    assert!(stats.to_string().contains("live sessions   60"), "{stats}");
    let store = open_small(dir.path());
    assert_eq!(contents(&store).await, whole);
    let in_use = check(dir.path()).unwrap_err().to_string();
    assert!(in_use.contains("in use"), "{in_use}");
}
