//! A data directory that disappears under a running store is noticed within seconds; nothing is
//! claimed about acknowledged data.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use streamgate_clock::ManualClock;
use streamgate_store::Store;
use streamgate_store_embedded::{EmbeddedStore, FatalError, NoLogObserver};
use tempfile::tempdir;

use crate::common::events::{PATIENCE, failures, until_prepared};
use crate::common::{NOON, copy_dir, small, start};

/// A store with a session in this directory, and its failures.
async fn with_a_session(dir: &Path) -> (EmbeddedStore, Receiver<FatalError>) {
    let (hook, failed) = failures();
    let clock = Arc::new(ManualClock::at(NOON));
    let store = EmbeddedStore::open(small(dir), clock, Arc::new(NoLogObserver), hook).unwrap();
    start(&store, "user", "a").await.unwrap();
    // Else the preparer makes files in a directory that is being removed.
    until_prepared(|name| dir.join(name).exists());
    (store, failed)
}

async fn is_noticed(what: &str, take_away: impl Fn(&Path)) {
    let parent = tempdir().unwrap();
    let dir = parent.path().join("data");
    let (store, failed) = with_a_session(&dir).await;
    take_away(&dir);
    // Without a call: the store finds out by itself.
    let fatal = failed.recv_timeout(PATIENCE).expect(what);
    assert!(fatal.gone, "{what}: {fatal}");
    store.check_ready().await.unwrap_err();
    start(&store, "user", "b").await.unwrap_err();
}

#[tokio::test]
async fn a_missing_directory_or_file_is_noticed() {
    is_noticed("removed", |dir| fs::remove_dir_all(dir).unwrap()).await;
    is_noticed("renamed", |dir| {
        fs::rename(dir, dir.with_extension("old")).unwrap();
    })
    .await;
    is_noticed("another in its place", |dir| {
        let old = dir.with_extension("old");
        fs::rename(dir, &old).unwrap();
        copy_dir(&old, dir);
        fs::copy(old.join("LOCK"), dir.join("LOCK")).unwrap();
    })
    .await;
    is_noticed("the lock", |dir| fs::remove_file(dir.join("LOCK")).unwrap()).await;
    is_noticed("the log", |dir| {
        fs::remove_file(dir.join("log-0000000000000001.sg")).unwrap();
    })
    .await;
    is_noticed("the log replaced", |dir| {
        let log = dir.join("log-0000000000000001.sg");
        fs::copy(&log, dir.join("copy")).unwrap();
        fs::rename(dir.join("copy"), &log).unwrap();
    })
    .await;
}

/// Closed before the next look at the directory: what is written then is in files without a name.
#[tokio::test]
async fn a_store_whose_directory_went_away_is_not_closed_in_order() {
    let parent = tempdir().unwrap();
    let dir = parent.path().join("data");
    let (store, failed) = with_a_session(&dir).await;
    fs::rename(&dir, dir.with_extension("old")).unwrap();
    store.close().await.unwrap_err();
    let fatal = failed.recv_timeout(PATIENCE).unwrap();
    assert!(fatal.gone, "{fatal}");
}
