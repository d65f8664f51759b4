//! Runs all candidates in turn, several rounds, and takes medians: machines drift, ratios hold.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use streamgate_store::clock::Stopwatch;
use tokio::task::JoinSet;

use crate::Result;
use crate::candidates::{Candidate, Running};
use crate::meter::{cpu_time, disk_bytes, median, percentile};
use crate::table::Table;

/// Writers that wait at the same time.
const WRITERS: [usize; 2] = [64, 256];

/// What one run of a candidate measured.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    /// Over the whole run, by the clock.
    records_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    /// User and system time of the whole process, callers included.
    cpu_us: f64,
    /// After closing; fixed costs, such as segments made ahead, are shared by all records.
    bytes_per_record: f64,
    read_back_s_per_million: f64,
}

/// Measures everything and returns the table.
pub(crate) fn run(dir: &Path, quick: bool) -> Result<String> {
    let (rounds, time) = if quick {
        (1, Duration::from_millis(300))
    } else {
        (5, Duration::from_secs(3))
    };
    let mut text = String::new();
    for writers in WRITERS {
        let mut runs = vec![Vec::new(); Candidate::ALL.len()];
        // In turn, not one after the other: what else the machine does falls on all of them alike.
        for _ in 0..rounds {
            for (candidate, runs) in Candidate::ALL.into_iter().zip(&mut runs) {
                runs.push(measure(candidate, dir, writers, time)?);
            }
        }
        text += &table(writers, &runs);
    }
    Ok(text)
}

/// The medians of the rounds.
fn table(writers: usize, runs: &[Vec<Run>]) -> String {
    let mut table = Table::new(&[
        &format!("{writers} writers"),
        "records/s",
        "p50 ms",
        "p99 ms",
        "CPU µs a record",
        "bytes a record on disk",
        "s to read 1 M back",
    ]);
    for (candidate, runs) in Candidate::ALL.into_iter().zip(runs) {
        let of = |value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
        let back = of(|run| run.read_back_s_per_million);
        table.row(vec![
            candidate.name().to_owned(),
            format!("{:.0}", of(|run| run.records_per_s)),
            format!("{:.2}", of(|run| run.p50_us) / 1e3),
            format!("{:.2}", of(|run| run.p99_us) / 1e3),
            format!("{:.1}", of(|run| run.cpu_us)),
            format!("{:.0}", of(|run| run.bytes_per_record)),
            if back > 0.0 {
                format!("{back:.2}")
            } else {
                "–".to_owned()
            },
        ]);
    }
    table.to_markdown()
}

/// Runs one candidate once, in a new directory.
fn measure(candidate: Candidate, dir: &Path, writers: usize, time: Duration) -> Result<Run> {
    let dir = tempfile::tempdir_in(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    let (mut run, records) = runtime.block_on(write(candidate, dir.path(), writers, time))?;
    drop(runtime);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let per_record = |value: f64| value / records as f64;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let bytes = disk_bytes(dir.path())? as f64;
    run.bytes_per_record = per_record(bytes);
    let watch = Stopwatch::start();
    if let Some(read) = candidate.read_back(dir.path())? {
        if read != records {
            return Err(format!("{}: {read} of {records} came back", candidate.name()).into());
        }
        run.read_back_s_per_million = per_record(watch.elapsed().as_secs_f64() * 1e6);
    }
    Ok(run)
}

/// Lets `writers` tasks write for a while.
async fn write(
    candidate: Candidate,
    dir: &Path,
    writers: usize,
    time: Duration,
) -> Result<(Run, u64)> {
    let running = Arc::new(candidate.open(dir)?);
    let next = Arc::new(AtomicU64::new(1));
    let (watch, cpu_before) = (Stopwatch::start(), cpu_time());
    let mut tasks: JoinSet<Result<Vec<u32>>> = JoinSet::new();
    for _ in 0..writers {
        let (running, next) = (Arc::clone(&running), Arc::clone(&next));
        tasks.spawn(async move { write_until(&running, &next, watch, time).await });
    }
    let mut latencies = Vec::new();
    while let Some(task) = tasks.join_next().await {
        latencies.extend(task??);
    }
    let (took, cpu) = (watch.elapsed(), cpu_time() - cpu_before);
    let records = latencies.len() as u64;
    let running = Arc::into_inner(running).ok_or("all writers have ended")?;
    running.close().await?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let count = records as f64;
    let run = Run {
        records_per_s: count / took.as_secs_f64(),
        p50_us: f64::from(percentile(&mut latencies, 50)),
        p99_us: f64::from(percentile(&mut latencies, 99)),
        cpu_us: cpu.as_secs_f64() * 1e6 / count,
        ..Run::default()
    };
    Ok((run, records))
}

/// Writes one record after the other, as a caller that waits for each answer.
async fn write_until(
    running: &Running,
    next: &AtomicU64,
    watch: Stopwatch,
    time: Duration,
) -> Result<Vec<u32>> {
    let mut latencies = Vec::new();
    while watch.elapsed() < time {
        let one = Stopwatch::start();
        running.write(next.fetch_add(1, Ordering::Relaxed)).await?;
        latencies.push(u32::try_from(one.elapsed().as_micros())?);
    }
    Ok(latencies)
}
