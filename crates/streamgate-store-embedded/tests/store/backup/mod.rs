//! Backups of the store, and stores that start from them.

mod damage;
mod directories;
mod under_load;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamgate_clock::ManualClock;
use streamgate_store::{Backup, BackupError, Store};
use streamgate_store_embedded::tools::{BackupReport, BackupToolError, receive, restore};
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore};
use tempfile::tempdir;

use crate::common::events::{PATIENCE, Snapshots};
use crate::common::{NOON, contents, files, open, open_small, small, start, stop, with_mode};

/// Reads a backup to its end.
pub(super) async fn read(store: &EmbeddedStore) -> Vec<u8> {
    read_rest(store.backup().await.unwrap())
}

fn read_rest(mut backup: Box<dyn Backup>) -> Vec<u8> {
    let total = backup.total_bytes();
    let mut bytes = Vec::new();
    while let Some(piece) = backup.next_piece().unwrap() {
        bytes.extend(piece);
    }
    assert_eq!(bytes.len() as u64, total);
    bytes
}

fn write(bytes: &[u8], dir: &Path) -> Result<BackupReport, BackupToolError> {
    let mut stream = bytes;
    receive(&mut stream, dir)
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    paths.sort();
    paths
}

/// A small store with a snapshot and a log behind it, and a backup of it.
async fn small_backup(base: &Path) -> Vec<u8> {
    let (snapshots, written) = Snapshots::new();
    let config = EmbeddedConfig {
        segment_bytes: 1 << 10,
        ..small(&base.join("data"))
    };
    let clock = Arc::new(ManualClock::at(NOON));
    let hook = Arc::new(|error| panic!("{error}"));
    let store = EmbeddedStore::open(config, clock, snapshots, hook).unwrap();
    start(&store, "anna", "tv").await.unwrap();
    start(&store, "ben", "phone").await.unwrap();
    stop(&store, "ben", "phone").await.unwrap();
    store.request_snapshot();
    start(&store, "carl", "web").await.unwrap();
    written.recv_timeout(PATIENCE).unwrap();
    start(&store, "anna", "tablet").await.unwrap();
    let bytes = read(&store).await;
    store.close().await.unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_store_goes_on_and_opens_again() {
    let base = tempdir().unwrap();
    let bytes = small_backup(base.path()).await;
    let (dir, data) = (base.path().join("backup"), base.path().join("restored"));
    let report = write(&bytes, &dir).unwrap();
    assert_eq!((report.users, report.live_sessions), (3, 3));
    // A mounted volume has this, and it stays.
    fs::create_dir_all(data.join("lost+found")).unwrap();
    let restored = restore(&dir, &data).unwrap();
    assert_eq!(
        restored,
        BackupReport {
            dir: data.clone(),
            ..report
        }
    );
    let before = {
        let original = open(EmbeddedConfig {
            segment_bytes: 1 << 10,
            ..small(&base.path().join("data"))
        });
        contents(&original.unwrap()).await
    };
    for round in 0..3 {
        let store = open_small(&data);
        assert_eq!(store.recovered().live_sessions, 3 + round);
        if round == 0 {
            assert_eq!(contents(&store).await, before);
        }
        start(&store, "dora", &format!("s{round}")).await.unwrap();
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_of_a_store_without_a_snapshot_is_its_log() {
    let base = tempdir().unwrap();
    let store = open_small(&base.path().join("data"));
    start(&store, "anna", "tv").await.unwrap();
    let dir = base.path().join("backup");
    let report = write(&read(&store).await, &dir).unwrap();
    assert_eq!((report.users, report.files), (1, 1));
    assert_eq!(files(&dir), ["log-0000000000000001.sg"]);
}

/// In these modes an answer does not mean that the change is on disk; a backup has it all the same.
#[tokio::test]
async fn a_backup_has_what_was_answered_in_every_mode() {
    for mode in [
        DurabilityMode::Fsync,
        DurabilityMode::Os,
        DurabilityMode::None,
    ] {
        let base = tempdir().unwrap();
        let store = open(with_mode(&base.path().join("data"), mode)).unwrap();
        for count in 0..50 {
            start(&store, "anna", &format!("s{count}")).await.unwrap();
        }
        let report = write(&read(&store).await, &base.path().join("backup")).unwrap();
        assert_eq!(report.live_sessions, 50, "{mode}");
    }
}

#[tokio::test]
async fn a_store_makes_one_backup_at_a_time() {
    let base = tempdir().unwrap();
    let store = open_small(&base.path().join("data"));
    let first = store.backup().await.unwrap();
    let second = store.backup().await.unwrap_err();
    assert!(matches!(second, BackupError::Running), "{second}");
    drop(first);
    store.backup().await.unwrap();
}

#[tokio::test]
async fn a_store_that_has_ended_makes_no_backup() {
    let base = tempdir().unwrap();
    let store = open_small(&base.path().join("data"));
    store.close().await.unwrap();
    let refused = store.backup().await.unwrap_err();
    assert!(matches!(refused, BackupError::Store(_)), "{refused}");
}
