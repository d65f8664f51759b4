//! Shared by the tests of the store: commands of a player, and short ways to open a store.

#![allow(clippy::panic_in_result_fn, reason = "a test may panic")]

pub(crate) mod events;
pub(crate) mod power;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use streamgate_clock::ManualClock;
use streamgate_core::admission::{Settle, Start, StartOutcome, Stop, StopOutcome};
use streamgate_core::codec::decode_ledger;
use streamgate_core::{
    Command, EndReason, Ledger, Policy, SessionId, TenantId, Timestamp, UserId, UserKey, decide,
};
use streamgate_store::{Change, Store, StoreError, Transaction, View};
use streamgate_store_embedded::{
    DurabilityMode, EmbeddedConfig, EmbeddedStore, NoLogObserver, OpenError,
};

/// The time at which the tests begin.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A configuration with small files, so that a test soon rolls segments and writes snapshots.
pub(crate) fn small(dir: &Path) -> EmbeddedConfig {
    EmbeddedConfig {
        snapshot_min_log_bytes: u64::MAX,
        segment_bytes: 16 << 10,
        ..EmbeddedConfig::new(dir)
    }
}

/// Opens a store without an observer. The test panics if the store fails.
pub(crate) fn open(config: EmbeddedConfig) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(
        config,
        Arc::new(ManualClock::at(NOON)),
        Arc::new(NoLogObserver),
        Arc::new(|error| panic!("the store failed: {error}")),
    )
}

pub(crate) fn open_small(dir: &Path) -> EmbeddedStore {
    open(small(dir)).unwrap()
}

pub(crate) fn with_mode(dir: &Path, durability: DurabilityMode) -> EmbeddedConfig {
    EmbeddedConfig {
        durability,
        ..small(dir)
    }
}

/// The key of a user of the default tenant.
pub(crate) fn key(user: &str) -> UserKey {
    key_of("default", user)
}

pub(crate) fn key_of(tenant: &str, user: &str) -> UserKey {
    UserKey::new(&TenantId::new(tenant).unwrap(), &UserId::new(user).unwrap())
}

pub(crate) fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

/// Decides a command on a stored user, as the engine does.
pub(crate) async fn run<C: Command + Sync>(
    store: &dyn Store,
    key: &UserKey,
    command: &C,
) -> Result<C::Outcome, StoreError>
where
    C::Outcome: Send,
{
    let mut outcome = None;
    let mut step = |view: View<'_>| decided(view, command, &mut outcome);
    store.transact(key, &mut step).await?;
    Ok(outcome.expect("the step ran"))
}

/// The same if the store answers at once; else the call is dropped.
pub(crate) fn run_now<C: Command + Sync>(
    store: &dyn Store,
    key: &UserKey,
    command: &C,
) -> Option<Result<C::Outcome, StoreError>>
where
    C::Outcome: Send,
{
    let mut outcome = None;
    let mut step = |view: View<'_>| decided(view, command, &mut outcome);
    let done = match store.transact(key, &mut step) {
        Transaction::Done(answer) => answer,
        Transaction::Pending(_) => return None,
    };
    Some(done.map(|()| outcome.expect("the step ran")))
}

pub(crate) fn decided<C: Command>(
    view: View<'_>,
    command: &C,
    outcome: &mut Option<C::Outcome>,
) -> Option<Change> {
    let policy = Policy {
        default_limit: 1_000,
        ..Policy::default()
    };
    let ledger = view.record.map_or_else(Ledger::default, |record| {
        decode_ledger(record).expect("a record is a ledger")
    });
    let decision = decide(ledger, &policy, command, view.now);
    let change = Change::of(&decision, &policy);
    *outcome = Some(decision.outcome);
    change
}

pub(crate) async fn start(store: &dyn Store, user: &str, name: &str) -> Result<(), StoreError> {
    let outcome = run(store, &key(user), &Start::new(session(name))).await?;
    assert!(
        !matches!(outcome, StartOutcome::Refused(_)),
        "the limit is out of reach"
    );
    Ok(())
}

pub(crate) async fn stop(store: &dyn Store, user: &str, name: &str) -> Result<(), StoreError> {
    let stop = Stop {
        id: session(name),
        reason: EndReason::Stopped,
    };
    let outcome = run(store, &key(user), &stop).await?;
    assert!(
        !matches!(outcome, StopOutcome::Unknown),
        "it was started before"
    );
    Ok(())
}

/// Settles a user's ledger: expires sessions. A read if none is expired.
pub(crate) async fn settle(store: &dyn Store, user: &str) -> Result<(), StoreError> {
    run(store, &key(user), &Settle).await.map(drop)
}

/// The names of live and ended sessions by user.
pub(crate) type Contents = BTreeMap<String, (Vec<String>, Vec<String>)>;

pub(crate) fn names(ledger: &Ledger) -> (Vec<String>, Vec<String>) {
    let live = ledger
        .live
        .iter()
        .map(|session| session.id.to_string())
        .collect();
    let ended = ledger
        .ended
        .iter()
        .map(|ending| ending.id.to_string())
        .collect();
    (live, ended)
}

/// Everything in a store, read with pages of seven.
pub(crate) async fn contents(store: &dyn Store) -> Contents {
    let mut contents = Contents::new();
    let tenant = TenantId::default_tenant();
    let mut cursor = None;
    loop {
        let page = store.scan(&tenant, cursor.as_ref(), 7).await.unwrap();
        for (key, record) in page.records {
            let ledger = decode_ledger(&record).unwrap();
            let before = contents.insert(key.user().to_owned(), names(&ledger));
            assert_eq!(before, None, "a record was read twice");
        }
        cursor = page.next;
        if cursor.is_none() {
            return contents;
        }
    }
}

/// The files of a directory that the store made, by name.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".sg"))
        .collect();
    names.sort();
    names
}

/// The length of all files in a directory, in bytes.
pub(crate) fn dir_bytes(dir: &Path) -> u64 {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().map_or(0, |meta| meta.len()))
        .sum()
}

/// Copies a running directory, as a crash of the process would leave it.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in files(from) {
        // A snapshot may remove a file meanwhile; then it is not needed.
        let _ = std::fs::copy(from.join(&name), to.join(&name));
    }
}
