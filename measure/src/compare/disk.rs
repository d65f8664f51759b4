//! The disk alone: what is left of a durable start when there is no network, no HTTP, no decision
//! and nothing to hand over. No server that syncs before it answers is faster on this disk.
//!
//! One thread is told by the clock which records are due, writes all that became due during the
//! last sync, and syncs once. Latency counts from when a record was due to the end of the sync that
//! carried it, as it does for the requests of an open loop; so the time that the thread takes to
//! wake is in it.
//!
//! With every processor busy as well, it shows what a disk takes whose host and kernel have to find
//! a moment for it: a server under load is never alone.
//!
//! What is *not* here: the log itself ([`super::log`]); zeros that Streamgate writes
//! ahead while it serves, as this file has all of its zeros before it begins.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_core::admission::Start;
use streamgate_core::codec::encode_delta;
use streamgate_core::ids::Name;
use streamgate_core::{
    Attributes, Ledger, Policy, SessionId, SessionMetadata, TenantId, Timestamp, UserId, UserKey,
    decide,
};
use streamgate_loadgen::{Driven, Measured, Nanos, Outcome, Pace, Share};

use super::calls;
use super::log::{Batches, Log, Record};
use super::machine::processors;
use super::others::Others;
use super::round::{Plan, Round};
use crate::Result;
use crate::meter::thread_cpu_time;

/// What a record counts as that is on the disk: in the words of HTTP, as every start that went
/// well.
const ON_DISK: Outcome = Outcome::Status(201);

/// Writes records at a rate for as long as servers are called, and says what it took; with every
/// processor `busy`, too.
pub(crate) fn run(per_second: f64, busy: bool, plan: &Plan, dir: &Path) -> Result<Round> {
    let _busy = busy.then(Busy::every_processor);
    let dir = tempfile::tempdir_in(dir)?;
    let warm_up = Duration::try_from_secs_f64(plan.warm_up_s)?;
    let seconds = Duration::try_from_secs_f64(plan.seconds)?;
    let (begin, end) = (nanos(warm_up), nanos(warm_up + seconds));
    let record = start()?;
    let zeros = records_before(end, per_second) * bytes_max(&record)?;
    let mut log = Log::create(dir.path(), zeros)?;
    let others = Others::than(&[])?;
    let written = write(&mut log, &record, per_second, (begin, end))?;
    let others_busy = others.share(processors())?;
    let cpu_us = written.cpu.as_secs_f64() * 1e6;
    let driven = Driven {
        // Nobody generates a load: the writer looks at the clock by itself.
        loads: Vec::<()>::new(),
        kinds: vec!["start"],
        record: written.record,
        seconds: Vec::new(),
        elapsed: Duration::from_nanos(written.end.max(end) - begin),
        cpu: Duration::ZERO,
        servers: Vec::new(),
    };
    let measured = Measured::of(&driven, &[]);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let requests = measured.requests.max(1) as f64;
    Ok(Round {
        cpu_us_per_request: cpu_us / requests,
        memory_bytes: None,
        sessions: None,
        others_busy,
        measured,
    })
}

/// Threads that do nothing, as fast as they can, until this is dropped.
struct Busy {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    fn every_processor() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let spin = || {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..processors()).map(|_| spin()).collect();
        Self { is_over, threads }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It cannot panic: it does nothing.
            let _ = thread.join();
        }
    }
}

/// What a start of the load brings to Streamgate's log: whose it is, and what the decision did.
///
/// The framing is not Streamgate's. There a batch has a header of 32 bytes and a record two bytes
/// for its lengths; here it is 8 bytes and four.
fn start() -> Result<Record> {
    let (user, session) = calls::first()?;
    let said: serde_json::Value = serde_json::from_str(calls::FACTS)?;
    let name = |key: &str| Name::new(said[key].as_str().unwrap_or_default());
    let mut start = Start::new(SessionId::new(&session)?);
    start.metadata = Some(Box::new(SessionMetadata {
        device_id: Some(name("device_id")?),
        content_id: Some(name("content_id")?),
        attributes: Attributes::new(serde_json::from_value(said["attributes"].clone())?)?,
        ..SessionMetadata::default()
    }));
    let now = Timestamp::from_millis(calls::IDS_MADE_MS);
    let decision = decide(Ledger::default(), &Policy::default(), &start, now);
    let key = UserKey::new(&TenantId::default_tenant(), &UserId::new(user)?);
    Ok(Record {
        key: key.as_bytes().to_vec(),
        value: encode_delta(&decision.events),
    })
}

/// How many are due until then.
fn records_before(end: Nanos, per_second: f64) -> u64 {
    let mut pace = Pace::new(per_second, 0, Share::ALL);
    while pace.due() < end {
        pace.pass();
    }
    pace.passed()
}

/// The bytes that a record takes at most: when it is a batch of its own.
fn bytes_max(record: &Record) -> Result<u64> {
    const HEADER_AND_LENGTHS: usize = 8 + 4;
    let bytes = HEADER_AND_LENGTHS + record.key.len() + record.value.len();
    Ok(u64::try_from(bytes)?)
}

/// What was written.
struct Written {
    record: streamgate_loadgen::Record,
    /// What the thread took of a processor from the beginning of what counts.
    cpu: Duration,
    /// When the last sync ended.
    end: Nanos,
}

/// Commits every record that is due before the end; what is due before the beginning is not
/// counted.
fn write(
    engine: &mut impl Batches,
    record: &Record,
    per_second: f64,
    (begin, end): (Nanos, Nanos),
) -> Result<Written> {
    let mut pace = Pace::new(per_second, 0, Share::ALL);
    let mut counted = streamgate_loadgen::Record::of_kinds(1);
    let kind = counted.kinds.first_mut().ok_or("there is one kind")?;
    let (mut batch, mut dues) = (Vec::new(), Vec::new());
    let (mut cpu_before, mut last_end) = (None, 0);
    let clock = Stopwatch::start();
    while pace.due() < end {
        let now = nanos(clock.elapsed());
        if now >= begin && cpu_before.is_none() {
            cpu_before = Some(thread_cpu_time());
        }
        dues.clear();
        while pace.due() < end && pace.due() <= now {
            dues.push(pace.due());
            pace.pass();
        }
        if dues.is_empty() {
            wait(pace.due() - now);
            continue;
        }
        if batch.len() < dues.len() {
            batch.resize(dues.len(), record.clone());
        }
        engine.commit(batch.get(..dues.len()).ok_or("it was made that long")?)?;
        last_end = nanos(clock.elapsed());
        for due in &dues {
            if *due < begin {
                counted.before.add(ON_DISK, 1);
            } else {
                kind.tally.add(ON_DISK, 1);
                kind.latencies.record(last_end - due);
            }
        }
    }
    Ok(Written {
        record: counted,
        // Nothing that counts was written before this was read.
        cpu: cpu_before.map_or(Duration::ZERO, |before| thread_cpu_time() - before),
        end: last_end,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no other event than the time at which the next record is due"
)]
fn wait(time: Nanos) {
    thread::sleep(Duration::from_nanos(time));
}

fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that takes its time once, and counts.
    #[derive(Default)]
    struct Slow {
        stall: Duration,
        batches: Vec<usize>,
    }

    impl Batches for Slow {
        fn commit(&mut self, batch: &[Record]) -> Result<()> {
            self.batches.push(batch.len());
            let clock = Stopwatch::start();
            while clock.elapsed() < self.stall {
                std::hint::spin_loop();
            }
            self.stall = Duration::ZERO;
            Ok(())
        }
    }

    const MS: Nanos = 1_000_000;

    #[test]
    fn the_record_is_that_of_a_start() {
        let record = start().unwrap();
        assert_eq!(record.key, b"default\0bench-0700000");
        let has = |text: &[u8]| record.value.windows(text.len()).any(|part| part == text);
        assert!(has(b"tv-7f3a") && has(b"film-1917") && has(b"3.2"));
        // With the two bytes of its lengths, this is what a start of the load takes in the log.
        assert_eq!(record.key.len() + record.value.len(), 83);
    }

    #[test]
    fn every_record_is_written_once_and_those_of_the_warm_up_do_not_count() {
        let (mut engine, record) = (Slow::default(), start().unwrap());
        let written = write(&mut engine, &record, 20_000.0, (50 * MS, 150 * MS)).unwrap();
        let (before, counted) = (&written.record.before, written.record.tally());
        assert_eq!((before.total(), counted.total()), (1_000, 2_000));
        assert_eq!(engine.batches.iter().sum::<usize>(), 3_000);
        assert_eq!(records_before(150 * MS, 20_000.0), 3_000);
        assert_eq!(written.record.latencies().count(), 2_000);
        assert!(written.cpu > Duration::ZERO && written.end >= 149 * MS);
    }

    #[test]
    fn what_falls_due_during_a_sync_goes_together_into_the_next_and_has_waited() {
        let mut engine = Slow {
            stall: Duration::from_millis(100),
            ..Slow::default()
        };
        let record = start().unwrap();
        let written = write(&mut engine, &record, 20_000.0, (0, 200 * MS)).unwrap();
        assert!(engine.batches[1] >= 1_999, "{:?}", engine.batches);
        let latencies = written.record.latencies();
        assert_eq!(latencies.count(), 4_000);
        // Half of them were due in the stall: the first of those waited for all of it, and half of
        // those for half of it.
        assert!(latencies.max_ms() >= 99.9, "{}", latencies.max_ms());
        assert!(latencies.at_ms(0.75) >= 49.0, "{}", latencies.at_ms(0.75));
    }

    #[test]
    fn a_run_is_measured_like_any_other_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan {
            rounds: 1,
            seconds: 0.2,
            warm_up_s: 0.1,
            connections: 1,
            connections_at_a_rate: 1,
            users: 1,
            sessions_per_user: 1,
        };
        let round = run(20_000.0, false, &plan, dir.path()).unwrap();
        let measured = &round.measured;
        assert_eq!((measured.requests, measured.errors), (4_000, 0));
        assert_eq!(measured.calls, 4_000);
        assert!((1.0..=20_000.0).contains(&measured.requests_per_s));
        let latency = measured.latency_ms;
        assert!(latency.p50 > 0.0 && latency.p50 <= latency.p99 && latency.p99 <= latency.max);
        assert!(round.cpu_us_per_request > 0.0);
        assert_eq!((round.memory_bytes, round.sessions), (None, None));
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }
}
