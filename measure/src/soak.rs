//! Ten minutes at full speed: whether memory and data directory level off.
//!
//! Sessions of the same users start and stop, as fast as the server can. A leak shows in the last third
//! of the time, when everything that is kept on purpose exists.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use streamgate_loadgen::report::{Line, Lines, Report, Scale, Section, Table};
use streamgate_loadgen::workload::StartStop;
use streamgate_loadgen::{Api, ProcessMeter, Second, Share};

use crate::figures::{disk_bytes, float};
use crate::load::{Call, population, span};
use crate::servers::{Server, data_of};
use crate::{Places, Result};

/// How to soak.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// For how long, in seconds
    #[arg(long, default_value_t = 600.0, value_parser = crate::seconds)]
    seconds: f64,
    /// How many users start and stop sessions. Of each, 64 stops are remembered for the revive window:
    /// with many more users than this, memory rises until then, and rightly
    #[arg(long, default_value_t = 20_000)]
    users: u64,
    /// Keep-alive connections
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[command(flatten)]
    places: Places,
}

/// What the server had at a time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Sample {
    at_s: f64,
    requests_per_s: f64,
    p99_ms: f64,
    memory_bytes: u64,
    disk_bytes: u64,
}

/// How much more the last third of the time may have than the third before it.
const GROWTH_MAX: f64 = 1.05;

/// The most of each of the last two thirds.
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

    fn growth(self) -> f64 {
        float(self.last) / float(self.before.max(1))
    }

    fn levels_off(self) -> bool {
        self.growth() <= GROWTH_MAX
    }
}

/// Soaks, writes both files, and returns what to print.
///
/// # Errors
///
/// Fails also if memory or directory still grow: after it has written the files.
pub(crate) fn run(arguments: &Arguments) -> Result<String> {
    let dir = arguments.places.data()?;
    let server = Server::streamgate(&arguments.places.binary()?, dir.path(), &[])?;
    let meter = server.meter()?;
    let api = Api::new(&server.target, population("soak-", 0)?, None)?;
    let load = StartStop::new(Arc::new(api), Share::ALL, arguments.users);
    let call = Call {
        target: &server.target,
        connections: arguments.connections,
        meters: vec![meter],
        answers: &["201", "204"],
    };
    let (mut samples, mut failure) = (Vec::new(), None);
    let span = span(0.0, arguments.seconds)?;
    let data = data_of(dir.path());
    let done = call.run(Box::new(load), None, span, &mut |second| match sample(
        second, meter, &data,
    ) {
        Ok(sample) => samples.push(sample),
        Err(error) => failure = Some(error),
    })?;
    if let Some(error) = failure {
        return Err(error);
    }
    if samples.len() < 3 {
        return Err("it ran for less than three seconds".into());
    }
    let memory = Level::of(&samples, |sample| sample.memory_bytes);
    let disk = Level::of(&samples, |sample| sample.disk_bytes);
    let measured = &done.measured;
    let report = Report {
        title: "Streamgate at full speed".to_owned(),
        subtitle: format!(
            "{} starts and stops in {:.0} s, {:.0} a second, none failed.",
            measured.requests, measured.elapsed_s, measured.requests_per_s
        ),
        sections: sections(&samples, memory, disk),
        notes: Vec::new(),
    };
    let all = json!({ "memory": memory, "disk": disk, "measured": measured, "samples": samples });
    let said = report.write(&arguments.places.out, "soak", &all)?;
    if memory.levels_off() && disk.levels_off() {
        return Ok(said);
    }
    Err(format!("memory or directory does not level off\n\n{said}").into())
}

fn sample(second: &Second, meter: ProcessMeter, data: &Path) -> Result<Sample> {
    // Files come and go meanwhile; then it is counted again.
    let disk_bytes = (0..10).find_map(|_| disk_bytes(data).ok());
    Ok(Sample {
        at_s: second.at_s,
        requests_per_s: second.per_second(),
        p99_ms: second.p99_ms,
        memory_bytes: meter.read()?.resident_bytes,
        disk_bytes: disk_bytes.ok_or("the data directory never stood still")?,
    })
}

fn sections(samples: &[Sample], memory: Level, disk: Level) -> Vec<Section> {
    let mb = |bytes: u64| float(bytes) / 1e6;
    let mut table = Table::new(&[
        "soak",
        "most in the middle third",
        "most in the last",
        "×",
        "",
    ]);
    for (what, level) in [("memory", memory), ("data directory", disk)] {
        table.row([
            what.to_owned(),
            format!("{:.1} MB", mb(level.before)),
            format!("{:.1} MB", mb(level.last)),
            format!("{:.3}", level.growth()),
            if level.levels_off() {
                "levels off"
            } else {
                "GROWS"
            }
            .to_owned(),
        ]);
    }
    let line = |name: &str, value: &dyn Fn(&Sample) -> f64| {
        Line::new(
            name,
            samples.iter().map(|sample| (sample.at_s, value(sample))),
        )
    };
    let plot = |title, unit, scale, lines| {
        Section::lines(&Lines::new(
            title,
            ("s", Scale::Linear),
            (unit, scale),
            lines,
        ))
    };
    let sizes = vec![
        line("memory, all of the process", &|it| mb(it.memory_bytes)),
        line("data directory", &|it| mb(it.disk_bytes)),
    ];
    let speed = vec![line("starts and stops", &|it| it.requests_per_s)];
    let latency = vec![line("99th percentile", &|it| it.p99_ms)];
    vec![
        Section::table("Levels", table),
        plot("Memory and data directory", "MB", Scale::Linear, sizes),
        plot("Throughput", "requests a second", Scale::Linear, speed),
        plot("Latency", "ms", Scale::Log, latency),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(memory: impl Iterator<Item = u64>) -> Level {
        let sample = |memory_bytes| Sample {
            memory_bytes,
            ..Sample::default()
        };
        let samples: Vec<Sample> = memory.map(sample).collect();
        Level::of(&samples, |sample| sample.memory_bytes)
    }

    #[test]
    fn a_rise_that_ends_in_the_first_third_levels_off() {
        assert!(level((0..90).map(|second| second.min(30) * 1_000)).levels_off());
    }

    #[test]
    fn a_rise_that_goes_on_is_growth() {
        let level = level((0..90).map(|second| second * 1_000));
        assert_eq!((level.before, level.last), (59_000, 89_000));
        assert!(!level.levels_off());
    }
}
