//! A failing disk: nothing is acknowledged any more, and the failure hook is called once.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use crate::common::events::{PATIENCE, Snapshots, failures, until_prepared};
use crate::common::power::{Chance, Failing, PowerDisk, no_dir};
use crate::common::{NOON, contents, small, start};
use streamgate_clock::ManualClock;
use streamgate_store::{Store, StoreError};
use streamgate_store_embedded::{
    EmbeddedConfig, EmbeddedStore, FatalError, LogObserver, NoLogObserver, OpenError,
};

/// A store on a disk that can fail, and the channel that receives the failure.
fn open(
    disk: &PowerDisk,
    observer: Arc<dyn LogObserver>,
) -> (Result<EmbeddedStore, OpenError>, Receiver<FatalError>) {
    let (hook, failed) = failures();
    let config = EmbeddedConfig {
        segment_bytes: 4 << 10,
        ..small(&no_dir())
    };
    let clock = Arc::new(ManualClock::at(NOON));
    (
        EmbeddedStore::open_on(Arc::new(disk.clone()), config, clock, observer, hook),
        failed,
    )
}

/// Starts sessions until one fails; returns how many were acknowledged and the failure.
async fn until_failure(store: &EmbeddedStore) -> (usize, StoreError) {
    for count in 0..10_000 {
        if let Err(error) = start(store, &format!("user-{count}"), "a").await {
            return (count, error);
        }
    }
    panic!("it never failed");
}

/// Lets one kind of operation fail, and checks all that is promised then.
async fn fails(operation: &'static str, name: &'static str, expected: &str) {
    let disk = PowerDisk::default();
    let (observer, _snapshots) = Snapshots::new();
    let (store, failed) = open(&disk, observer);
    let store = store.unwrap();
    start(&store, "before", "a").await.unwrap();
    // The preparer rests: otherwise the fault could hit the segment that it makes ahead.
    until_prepared(|name| disk.has_for_good(name));
    disk.fail(Some(Failing { operation, name }));
    if name.starts_with("snapshot") || operation == "remove" {
        store.request_snapshot();
    }
    let (acknowledged, error) = until_failure(&store).await;
    let text = error.to_string();
    assert!(text.contains("injected"), "{operation} {name}: {text}");
    let fatal = failed.recv_timeout(PATIENCE).unwrap();
    assert!(fatal.doing.contains(expected), "{fatal}");
    // The disk works again. That must not matter: what it has lost is unknown.
    disk.fail(None);
    for _ in 0..3 {
        let refused = start(&store, "after", "a").await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
    }
    let not_ready = store.check_ready().await.unwrap_err();
    assert!(
        not_ready.to_string().contains("stopped acknowledging"),
        "{not_ready}"
    );
    assert!(matches!(
        store.close().await,
        Err(StoreError::OutcomeUnknown(_))
    ));
    drop(store);
    assert!(failed.try_recv().is_err(), "the hook is called once");
    let disk = disk.after_power_loss(&mut Chance::new(1));
    let (store, _) = open(&disk, Arc::new(NoLogObserver));
    let found = contents(&store.unwrap()).await;
    for user in 0..acknowledged {
        assert!(
            found.contains_key(&format!("user-{user}")),
            "user {user} was acknowledged"
        );
    }
    assert!(!found.contains_key("after"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_failed_operation_nothing_is_acknowledged() {
    fails("write", "log-", "writing to log-").await;
    fails("sync", "log-", "log-").await;
    // The next segment is made ahead.
    fails("write", ".tmp", "making log-").await;
    fails("sync", ".tmp", "making log-").await;
    fails("create", ".tmp", "making log-").await;
    fails("rename", "log-", "making log-").await;
    fails("sync_dir", "", "making log-").await;
    fails("create", "snapshot-", "snapshot-").await;
    fails("write", "snapshot-", "snapshot-").await;
    fails("sync", "snapshot-", "snapshot-").await;
    fails("rename", "snapshot-", "snapshot-").await;
    fails("remove", "log-", "superfluous").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_wait_when_the_disk_fails_get_outcome_unknown() {
    let disk = PowerDisk::default();
    let (store, failed) = open(&disk, Arc::new(NoLogObserver));
    let store = Arc::new(store.unwrap());
    disk.hold_syncs(true);
    let waiting: Vec<_> = (0..50)
        .map(|user| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { start(&*store, &format!("user-{user}"), "a").await })
        })
        .collect();
    while store.record_count() < Some(50) {
        tokio::task::yield_now().await;
    }
    disk.fail(Some(Failing {
        operation: "sync",
        name: "log-",
    }));
    disk.hold_syncs(false);
    for task in waiting {
        let outcome = task.await.unwrap();
        assert!(
            matches!(outcome, Err(StoreError::OutcomeUnknown(_))),
            "{outcome:?}"
        );
    }
    failed.recv_timeout(PATIENCE).unwrap();
}

#[tokio::test]
async fn a_disk_that_fails_while_opening_is_an_error_with_a_name() {
    for operation in [
        "list", "open", "create", "write", "sync", "rename", "sync_dir",
    ] {
        let disk = PowerDisk::default();
        if operation == "open" {
            let (store, _) = open(&disk, Arc::new(NoLogObserver));
            store.unwrap().close().await.unwrap();
        }
        disk.fail(Some(Failing {
            operation,
            name: "",
        }));
        let (store, _) = open(&disk, Arc::new(NoLogObserver));
        let error = store.unwrap_err().to_string();
        assert!(error.contains("injected"), "{operation}: {error}");
    }
}
