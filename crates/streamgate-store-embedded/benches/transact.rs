//! How long a call of the store takes. Its steps hand over bytes that were made before, so what is
//! measured is the store alone: the table, the log, and on this machine's disk the waiting for it.

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use streamgate_clock::ManualClock;
use streamgate_clock::Stopwatch;
use streamgate_core::admission::{Heartbeat, Start, Stop};
use streamgate_core::codec::{decode_ledger, encode_ledger};
use streamgate_core::{
    Command, EndReason, Ledger, Policy, SessionId, TenantId, Timestamp, UserId, UserKey, decide,
};
use streamgate_store::{Change, Store as _, View};
use streamgate_store_embedded::{EmbeddedConfig, EmbeddedStore, NoLogObserver};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Callers that wait for the disk at the same time.
const CALLERS: [usize; 3] = [1, 64, 256];

/// A store in a new directory below the build's, which is on a disk.
struct World {
    runtime: Runtime,
    store: Arc<EmbeddedStore>,
    _dir: TempDir,
}

impl World {
    fn new() -> Self {
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("it can be made");
        let store = EmbeddedStore::open(
            EmbeddedConfig::new(dir.path()),
            Arc::new(ManualClock::at(NOW)),
            Arc::new(NoLogObserver),
            Arc::new(|error| panic!("the store failed: {error}")),
        );
        Self {
            runtime: Builder::new_multi_thread()
                .worker_threads(2)
                .build()
                .expect("threads can be started"),
            store: Arc::new(store.expect("a new directory opens")),
            _dir: dir,
        }
    }

    /// How long it takes `callers` to make their changes in turn, so often, each on a user of its
    /// own.
    fn time(&self, callers: usize, repetitions: u64, changes: &Arc<[Option<Change>]>) -> Duration {
        self.runtime.block_on(async {
            let watch = Stopwatch::start();
            let mut tasks = JoinSet::new();
            for caller in 0..callers {
                let (store, changes) = (Arc::clone(&self.store), Arc::clone(changes));
                tasks.spawn(async move {
                    let user = user(caller);
                    for (_, change) in (0..repetitions).zip(changes.iter().cycle()) {
                        let done = store
                            .transact(&user, &mut |_: View<'_>| change.clone())
                            .await;
                        done.expect("the store works");
                    }
                });
            }
            tasks.join_all().await;
            watch.elapsed()
        })
    }
}

fn user(number: usize) -> UserKey {
    let id = format!("0f8fad5b-d9cb-469f-a165-{number:012x}");
    let id = UserId::new(id).expect("it is short");
    UserKey::new(&TenantId::default_tenant(), &id)
}

fn session(number: u8) -> SessionId {
    SessionId::from_uuid_bytes([number; 16])
}

/// The record of a user with two live sessions.
fn record() -> Vec<u8> {
    let policy = Policy::default();
    let ledger = [1, 2]
        .into_iter()
        .fold(Ledger::default(), |ledger, number| {
            decide(ledger, &policy, &Start::new(session(number)), NOW).ledger
        });
    encode_ledger(&ledger).expect("it has sessions")
}

/// What a command makes of a record.
fn change<C: Command>(record: &[u8], command: &C) -> Change {
    let ledger = decode_ledger(record).expect("it was encoded here");
    let policy = Policy::default();
    let decision = decide(ledger, &policy, command, NOW);
    Change::of(&decision, &policy).expect("it changes something")
}

/// Calls that nobody waits for a disk for.
fn in_memory(criterion: &mut Criterion) {
    let record = record();
    let world = World::new();
    let seat = Arc::from([Some(change(&record, &Heartbeat { id: session(1) }))]);
    world.time(1, 1, &seat);
    criterion.bench_function("heartbeat", |bencher| {
        bencher.iter_custom(|repetitions| world.time(1, repetitions, &seat));
    });
    let read = Arc::from([None]);
    criterion.bench_function("read", |bencher| {
        bencher.iter_custom(|repetitions| world.time(1, repetitions, &read));
    });
}

/// Starts and stops in turn, each answered when it is on disk: one call of every caller.
fn durable(criterion: &mut Criterion) {
    let start = change(&record(), &Start::new(session(3)));
    let (id, reason) = (session(3), EndReason::Stopped);
    let started = start.record.as_deref().expect("it has sessions");
    let stop = change(started, &Stop { id, reason });
    let changes = Arc::from([Some(start), Some(stop)]);
    let world = World::new();
    let mut group = criterion.benchmark_group("durable");
    for callers in CALLERS {
        group.throughput(Throughput::Elements(callers as u64));
        group.bench_function(BenchmarkId::from_parameter(callers), |bencher| {
            bencher.iter_custom(|repetitions| world.time(callers, repetitions, &changes));
        });
    }
}

criterion_group!(benches, in_memory, durable);
criterion_main!(benches);
