//! How long the embedded store takes to come back: from its log alone, and from a snapshot.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_clock::Stopwatch;
use streamgate_clock::SystemClock;
use streamgate_core::admission::Start;
use streamgate_core::codec::{decode_ledger, encode_delta, encode_ledger};
use streamgate_core::{Ledger, Policy, SessionId, TenantId, UserId, UserKey, decide};
use streamgate_store::{Change, Store};
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore, LogObserver};

use crate::Result;
use crate::failed;
use crate::table::Table;

/// Tells when a snapshot is in place.
struct Snapshots(Mutex<Sender<Duration>>);

impl LogObserver for Snapshots {
    fn snapshot_written(&self, _: u64, _: u64, took: Duration) {
        let _ = self.0.lock().send(took);
    }
}

/// Fills a store, and opens it again twice.
pub(crate) fn run(dir: &Path, users: u64) -> Result<String> {
    let dir = tempfile::tempdir_in(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    let (sender, snapshots) = channel();
    let observer = Arc::new(Snapshots(Mutex::new(sender)));
    let open = || {
        let config = EmbeddedConfig {
            // Filling is not measured; what a restart reads is the same.
            durability: DurabilityMode::None,
            snapshot_min_log_bytes: u64::MAX,
            ..EmbeddedConfig::new(dir.path())
        };
        EmbeddedStore::open(
            config,
            Arc::new(SystemClock::new()),
            observer.clone(),
            failed(),
        )
    };
    let store = open()?;
    runtime.block_on(fill(&store, users))?;
    runtime.block_on(store.close())?;
    drop(store);
    let mut table = Table::new(&["restart", "sessions", "records read", "s"]);
    let mut row = |what: &str, records: u64, took: Duration| {
        let took = format!("{:.2}", took.as_secs_f64());
        table.row(vec![
            what.to_owned(),
            (users * 2).to_string(),
            records.to_string(),
            took,
        ]);
    };
    let watch = Stopwatch::start();
    let store = open()?;
    row(
        "from the log alone",
        store.recovered().log_records,
        watch.elapsed(),
    );
    store.request_snapshot();
    row("(writing the snapshot)", 0, snapshots.recv()?);
    runtime.block_on(store.close())?;
    drop(store);
    let watch = Stopwatch::start();
    let store = open()?;
    row(
        "from the snapshot",
        store.recovered().users,
        watch.elapsed(),
    );
    Ok(table.to_markdown())
}

/// Starts two sessions of each user.
async fn fill(store: &EmbeddedStore, users: u64) -> Result<()> {
    let policy = Policy::default();
    // The second session of a user comes long after the first, as it does in life: its record has
    // to be found again.
    for session in 0..users * 2 {
        let user = UserId::new(format!("user-{:08}", session % users))?;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&session.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let start = Start::new(SessionId::from_uuid_bytes(id));
        let key = UserKey::new(&TenantId::default_tenant(), &user);
        let mut step = |view: streamgate_store::View<'_>| {
            let ledger = view.record.map_or_else(Ledger::default, |record| {
                decode_ledger(record).expect("a record is a ledger")
            });
            let decision = decide(ledger, &policy, &start, view.now);
            decision.durability().map(|durability| Change {
                record: encode_ledger(&decision.ledger),
                delta: encode_delta(&decision.events),
                durability,
                garbage_at: None,
                needs_room: decision.needs_room(),
            })
        };
        store.transact(&key, &mut step).await?;
    }
    Ok(())
}
