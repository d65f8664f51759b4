//! Ten minutes at full speed: whether memory and data directory level off.
//!
//! Sessions of ever the same users start and stop, as fast as the server can. What a leak is shows
//! in the second half of the time, when everything that may be kept is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use streamgate_loadgen::report::plot::{Axis, Line, Lines, Scale};
use streamgate_loadgen::report::{Page, Section};
use streamgate_loadgen::workload::StartStop;
use streamgate_loadgen::{
    Api, Closed, Drive, Measured, Population, ProcessMeter, Second, Share, Span, Stop, Target,
};

use crate::Result;
use crate::meter::disk_bytes;
use crate::servers::{Node, binary_beside};
use crate::table::Table;

/// How to soak.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// For how long, in seconds.
    #[arg(long, default_value_t = 600.0, value_parser = crate::seconds)]
    seconds: f64,
    /// How many users start and stop sessions, one after the other. Of each, 64 stops are
    /// remembered for the revive window: with many more users than this, memory rises until then,
    /// and rightly.
    #[arg(long, default_value_t = 20_000)]
    users: u64,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// The binary; unless named, that of the same build as this.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where the results go.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/out"))]
    out: PathBuf,
    /// Where the data go [default: where the results go].
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What the server had at a time.
#[derive(Debug, Clone, Copy, Serialize)]
struct Sample {
    at_s: f64,
    requests_per_s: f64,
    p99_ms: f64,
    memory_bytes: u64,
    disk_bytes: u64,
}

/// By how much the last third of the time may have more than the one before it had.
const GROWTH_MAX: f64 = 1.05;

/// What grew: the most of each of the last two thirds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Level {
    before: u64,
    last: u64,
}

impl Level {
    fn of(samples: &[Sample], value: fn(&Sample) -> u64) -> Self {
        let third = samples.len() / 3;
        let (middle, last) = samples[third..].split_at(third);
        let most = |part: &[Sample]| part.iter().map(value).max().unwrap_or(0);
        Self {
            before: most(middle),
            last: most(last),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn growth(self) -> f64 {
        self.last as f64 / self.before.max(1) as f64
    }

    fn verdict(self) -> &'static str {
        if self.growth() <= GROWTH_MAX {
            "levels off"
        } else {
            "GROWS"
        }
    }
}

/// Soaks, writes both files, and answers what to print.
///
/// # Errors
///
/// Fails if memory or directory still grow, too: after it has written the files.
pub(crate) fn run(arguments: &Arguments) -> Result<String> {
    let binary = arguments.binary.clone().map_or_else(binary_beside, Ok)?;
    fs::create_dir_all(&arguments.out)?;
    let dir = tempfile::tempdir_in(arguments.dir.as_ref().unwrap_or(&arguments.out))?;
    let data = dir.path().join("data");
    let node = Node::start_on(&binary, &data, &[])?;
    let (samples, measured) = soak(&node, &data, arguments)?;
    drop(node);
    let memory = Level::of(&samples, |sample| sample.memory_bytes);
    let disk = Level::of(&samples, |sample| sample.disk_bytes);
    let said = write(&samples, &measured, [memory, disk], &arguments.out)?;
    if memory.growth() > GROWTH_MAX || disk.growth() > GROWTH_MAX {
        return Err(format!("memory or directory does not level off\n\n{said}").into());
    }
    Ok(said)
}

fn soak(node: &Node, data: &Path, arguments: &Arguments) -> Result<(Vec<Sample>, Measured)> {
    let target = Target::parse(&format!("http://{}", node.address))?;
    let population = Population::new("soak-", 7, 1_795_242_600_000)?;
    let api = Arc::new(Api::new(&target, population, None)?);
    let mut drive = Drive::new(target, arguments.connections);
    let meter = node.meter()?;
    drive.servers = vec![meter];
    let span = Span::of(
        Duration::ZERO,
        Duration::try_from_secs_f64(arguments.seconds)?,
    );
    let load = Closed(StartStop::new(api, Share::ALL, arguments.users));
    let mut samples = Vec::new();
    let mut failure = None;
    let driven = drive.run(
        vec![load],
        span,
        &Stop::default(),
        &mut |second| match sample(second, &meter, data) {
            Ok(sample) => samples.push(sample),
            Err(error) => failure = Some(error),
        },
    )?;
    if let Some(error) = failure {
        return Err(error);
    }
    let measured = Measured::of(&driven, &drive.servers);
    if measured.errors > 0 || samples.len() < 3 {
        let outcomes = &measured.outcomes;
        return Err(format!("not all went well, or not for long enough: {outcomes:?}").into());
    }
    Ok((samples, measured))
}

fn sample(second: &Second, meter: &ProcessMeter, data: &Path) -> Result<Sample> {
    Ok(Sample {
        at_s: second.at_s,
        requests_per_s: second.per_second(),
        p99_ms: second.p99_ms,
        memory_bytes: meter.read()?.resident_bytes,
        disk_bytes: disk_bytes_now(data)?,
    })
}

/// What the directory takes. Files come and go meanwhile; then it is looked at again.
fn disk_bytes_now(data: &Path) -> Result<u64> {
    for _ in 0..10 {
        match disk_bytes(data) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            known => return Ok(known?),
        }
    }
    Err("the data directory never stood still".into())
}

fn write(
    samples: &[Sample],
    measured: &Measured,
    [memory, disk]: [Level; 2],
    out: &Path,
) -> Result<String> {
    let (page, data) = (out.join("soak.html"), out.join("soak.json"));
    let mut table = Table::new(&[
        "soak",
        "most in the middle third",
        "most in the last",
        "×",
        "",
    ]);
    let megabytes = |bytes: u64| format!("{:.1} MB", mb(bytes));
    for (what, level) in [("memory", memory), ("data directory", disk)] {
        table.row(vec![
            what.to_owned(),
            megabytes(level.before),
            megabytes(level.last),
            format!("{:.3}", level.growth()),
            level.verdict().to_owned(),
        ]);
    }
    let starts_and_stops = format!(
        "{} starts and stops in {:.0} s, {:.0} a second, none failed.",
        measured.requests, measured.elapsed_s, measured.requests_per_s
    );
    let line = |name: &str, value: &dyn Fn(&Sample) -> f64| {
        let points = samples.iter().map(|sample| (sample.at_s, value(sample)));
        Line::new(name.to_owned(), points.collect())
    };
    let plot = |title: &str, unit: &str, scale, lines| Lines {
        title: title.to_owned(),
        x: Axis::new("s", Scale::Linear),
        y: Axis::new(unit, scale),
        lines,
    };
    let sizes = vec![
        line("memory, all of the process", &|it| mb(it.memory_bytes)),
        line("data directory", &|it| mb(it.disk_bytes)),
    ];
    let sizes = plot("Memory and data directory", "MB", Scale::Linear, sizes);
    let speed = vec![line("starts and stops", &|it| it.requests_per_s)];
    let speed = plot("Throughput", "requests a second", Scale::Linear, speed);
    let latency = vec![line("99th percentile", &|it| it.p99_ms)];
    let latency = plot("Latency", "ms", Scale::Log, latency);
    let html = Page {
        title: "Streamgate at full speed".to_owned(),
        subtitle: starts_and_stops.clone(),
        sections: vec![
            Section::new("Memory and data directory", sizes.svg()?),
            Section::new("Throughput", speed.svg()?),
            Section::new("Latency", latency.svg()?),
        ],
        notes: Vec::new(),
    };
    fs::write(&page, html.html())?;
    let all = json!({
        "memory": memory, "disk": disk, "measured": measured, "samples": samples,
    });
    fs::write(&data, serde_json::to_vec_pretty(&all)?)?;
    let (table, page, data) = (table.to_markdown(), page.display(), data.display());
    Ok(format!("{table}{starts_and_stops}\n\n{page}\n{data}\n"))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(memory: impl Iterator<Item = u64>) -> Level {
        let samples: Vec<Sample> = memory
            .map(|memory_bytes| Sample {
                at_s: 0.0,
                requests_per_s: 0.0,
                p99_ms: 0.0,
                memory_bytes,
                disk_bytes: 0,
            })
            .collect();
        Level::of(&samples, |sample| sample.memory_bytes)
    }

    #[test]
    fn what_rises_at_first_and_then_stays_levels_off() {
        let level = levels((0..90).map(|second| second.min(30) * 1_000));
        assert_eq!(level.verdict(), "levels off");
    }

    #[test]
    fn what_goes_on_rising_grows() {
        let level = levels((0..90).map(|second| second * 1_000));
        assert_eq!((level.before, level.last), (59_000, 89_000));
        assert_eq!(level.verdict(), "GROWS");
    }
}
