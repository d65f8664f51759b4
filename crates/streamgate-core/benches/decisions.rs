//! How long a decision takes, its encoding, and both as the engine runs them. Times are for people
//! who change this code; what must hold is counted in instructions (`measure/instructions`).

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use streamgate_core::admission::{Heartbeat, Start, Stop};
use streamgate_core::codec::{decode_ledger, encode_delta, encode_ledger};
use streamgate_core::{
    Command, Decision, EndReason, Event, Ledger, Policy, SessionId, Timestamp, decide,
};

/// How many sessions the user has live.
const LIVE: [u32; 3] = [1, 3, 20];

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A session id that is a UUID, as most are.
fn id(number: u32) -> SessionId {
    let mut bytes = *b"\x01\x93\x50\x3c\x5d\x3e\x7c\x4a\x9a\x3b\0\0\0\0\0\0";
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    SessionId::from_uuid_bytes(bytes)
}

fn policy(default_limit: u32) -> Policy {
    Policy {
        default_limit,
        ..Policy::default()
    }
}

/// A ledger with so many live sessions.
fn ledger(live: u32) -> Ledger {
    let policy = policy(live);
    (0..live).fold(Ledger::default(), |ledger, number| {
        decide(ledger, &policy, &Start::new(id(number)), NOW).ledger
    })
}

fn record(live: u32) -> Vec<u8> {
    encode_ledger(&ledger(live)).expect("it has sessions")
}

/// The commands of the hot path, each with how many live sessions there may be and what it is
/// called: the start of a new session with room and without, and a heartbeat and a stop of the last
/// one.
fn with_commands(live: u32, mut run: impl FnMut(&str, &Policy, &dyn Run)) {
    let (new, last, reason) = (id(live), id(live - 1), EndReason::Stopped);
    let roomy = policy(live + 1);
    run("start", &roomy, &Start::new(new.clone()));
    run("start_refused", &policy(live), &Start::new(new));
    run("heartbeat", &roomy, &Heartbeat { id: last.clone() });
    run("stop", &roomy, &Stop { id: last, reason });
}

/// A command, whatever its outcome is; the outcome is dropped.
trait Run {
    fn decide(&self, ledger: Ledger, policy: &Policy) -> Decision<()>;
}

impl<C: Command> Run for C {
    fn decide(&self, ledger: Ledger, policy: &Policy) -> Decision<()> {
        let decision = decide(ledger, policy, self, NOW);
        drop(black_box(decision.outcome));
        Decision {
            ledger: decision.ledger,
            outcome: (),
            events: decision.events,
        }
    }
}

/// The decision alone, on a ledger in memory.
fn decisions(criterion: &mut Criterion) {
    for live in LIVE {
        with_commands(live, |name, policy, command| {
            let mut group = criterion.benchmark_group(format!("decide/{name}"));
            let ledger = ledger(live);
            group.bench_function(BenchmarkId::from_parameter(live), |bencher| {
                bencher.iter_batched(
                    || ledger.clone(),
                    |ledger| command.decide(black_box(ledger), policy),
                    BatchSize::SmallInput,
                );
            });
        });
    }
}

/// Records and deltas.
fn codec(criterion: &mut Criterion) {
    for live in LIVE {
        let (ledger, record) = (ledger(live), record(live));
        let parameter = BenchmarkId::from_parameter(live);
        let mut group = criterion.benchmark_group("decode_ledger");
        group.bench_function(parameter.clone(), |bencher| {
            bencher.iter(|| decode_ledger(black_box(&record)));
        });
        group.finish();
        let mut group = criterion.benchmark_group("encode_ledger");
        group.bench_function(parameter, |bencher| {
            bencher.iter(|| encode_ledger(black_box(&ledger)));
        });
    }
    let mut group = criterion.benchmark_group("encode_delta");
    with_commands(2, |name, policy, command| {
        let events: Vec<Event> = command.decide(ledger(2), policy).events;
        if events.is_empty() {
            return;
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| encode_delta(black_box(&events)));
        });
    });
}

/// What the engine does with a record: decode, decide, encode.
fn steps(criterion: &mut Criterion) {
    for live in LIVE {
        with_commands(live, |name, policy, command| {
            let mut group = criterion.benchmark_group(format!("step/{name}"));
            let record = record(live);
            group.bench_function(BenchmarkId::from_parameter(live), |bencher| {
                bencher.iter(|| step(black_box(&record), policy, command));
            });
        });
    }
}

/// The record after the command and the delta; `None` where it changes nothing.
fn step(record: &[u8], policy: &Policy, command: &dyn Run) -> Option<(Option<Vec<u8>>, Vec<u8>)> {
    let ledger = decode_ledger(record).expect("it was encoded here");
    let decision = command.decide(ledger, policy);
    decision.durability()?;
    let delta = encode_delta(&decision.events);
    Some((encode_ledger(&decision.ledger), delta))
}

criterion_group!(benches, decisions, codec, steps);
criterion_main!(benches);
