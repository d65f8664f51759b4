//! A process that dies leaves writes and names in the page cache that are readable but not on disk.
//! The next start answers from them, so it makes them durable first.

use std::sync::Arc;

use crate::common::events::until_prepared;
use crate::common::power::{Chance, Failing, PowerDisk, no_dir};
use crate::common::{Contents, NOON, contents, start, stop};
use streamgate_clock::ManualClock;
use streamgate_store::StoreError;
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore, NoLogObserver};

/// A store of tiny files, so that death comes while they are made too.
fn open(disk: &PowerDisk, durability: DurabilityMode) -> EmbeddedStore {
    let config = EmbeddedConfig {
        durability,
        segment_bytes: 1 << 10,
        snapshot_min_log_bytes: 2 << 10,
        ..EmbeddedConfig::new(no_dir())
    };
    let (disk, clock) = (Arc::new(disk.clone()), Arc::new(ManualClock::at(NOON)));
    let store = EmbeddedStore::open_on(
        disk,
        config,
        clock,
        Arc::new(NoLogObserver),
        Arc::new(|_| {}),
    );
    store.unwrap_or_else(|error| panic!("it does not open: {error}"))
}

/// Opens a new store, and waits until nothing but commits uses the disk.
fn open_new(disk: &PowerDisk, durability: DurabilityMode) -> EmbeddedStore {
    let store = open(disk, durability);
    until_prepared(|name| disk.has_for_good(name));
    store
}

/// What a store answers must be there after the power fails, whatever the disk makes of that.
async fn survives_power_loss(disk: &PowerDisk, answered: &Contents) {
    for seed in 0..4 {
        let disk = disk.after_power_loss(&mut Chance::new(seed));
        let store = open(&disk, DurabilityMode::Fsync);
        assert_eq!(contents(&store).await, *answered, "seed {seed}");
    }
}

#[tokio::test]
async fn a_start_that_is_repeated_after_a_restart_is_on_disk_when_it_is_answered() {
    let disk = PowerDisk::default();
    let store = open_new(&disk, DurabilityMode::Fsync);
    start(&store, "user", "a").await.unwrap();
    // The next batch is written, not synced.
    disk.power_off_after(1);
    let lost = start(&store, "user", "b").await;
    assert!(matches!(lost, Err(StoreError::OutcomeUnknown(_))));
    drop(store);
    let disk = disk.after_process_death();
    let store = open(&disk, DurabilityMode::Fsync);
    start(&store, "user", "b").await.unwrap();
    let answered = contents(&store).await;
    assert_eq!(answered["user"].0, ["a", "b"]);
    drop(store);
    survives_power_loss(&disk, &answered).await;
}

#[tokio::test]
async fn what_a_failed_sync_left_in_the_cache_is_written_again() {
    let disk = PowerDisk::default();
    let store = open_new(&disk, DurabilityMode::Fsync);
    let (operation, name) = ("sync", "log-");
    disk.fail(Some(Failing { operation, name }));
    let lost = start(&store, "user", "a").await;
    assert!(matches!(lost, Err(StoreError::OutcomeUnknown(_))));
    drop(store);
    let disk = disk.after_process_death();
    let store = open(&disk, DurabilityMode::Fsync);
    start(&store, "user", "a").await.unwrap();
    let answered = contents(&store).await;
    drop(store);
    survives_power_loss(&disk, &answered).await;
}

#[tokio::test]
async fn a_log_that_was_never_synced_is_proven_by_no_later_batch() {
    let disk = PowerDisk::default();
    let store = open_new(&disk, DurabilityMode::Os);
    for user in ["a", "b", "c"] {
        start(&store, user, "x").await.unwrap();
    }
    drop(store);
    let disk = disk.after_process_death();
    let store = open(&disk, DurabilityMode::Os);
    // A later batch reaches the disk, or a part of it, before anything that it says was there.
    disk.power_off_after(1);
    let lost = start(&store, "user", &"d".repeat(100)).await;
    assert!(lost.is_ok(), "nobody waits for a sync");
    drop(store);
    for seed in 0..50 {
        let disk = disk.after_power_loss(&mut Chance::new(seed));
        let found = contents(&open(&disk, DurabilityMode::Os)).await;
        assert!(
            found.contains_key("a") && found.contains_key("c"),
            "{found:?}"
        );
    }
}

/// Starts and stops until the disk does not answer any more.
async fn until_death(store: &EmbeddedStore) {
    for count in 0..60 {
        let user = format!("user-{}", count % 5);
        let name = format!("session-{count}");
        if start(store, &user, &name).await.is_err() {
            return;
        }
        if count % 3 == 0 && stop(store, &user, &name).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn answers_after_a_process_death_survive_a_power_loss() {
    for mode in [DurabilityMode::Fsync, DurabilityMode::Os] {
        for operations in 0..120 {
            let disk = PowerDisk::default();
            let store = open(&disk, mode);
            disk.power_off_after(operations);
            until_death(&store).await;
            drop(store);
            let disk = disk.after_process_death();
            let store = open(&disk, DurabilityMode::Fsync);
            let answered = contents(&store).await;
            drop(store);
            survives_power_loss(&disk, &answered).await;
        }
    }
}
