//! The summary of a drive; the name of each figure ends in its unit.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::drive::Driven;
use crate::figures::float;
use crate::latency::{LatencyMs, Quantile, round};
use crate::process::{ProcessMeter, ProcessUse};
use crate::record::Second;

/// Above this share of busy time, the generator limited the run.
pub const BUSY: f64 = 0.9;

/// The figures of any load on any server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// How long it took to the end of the last request, in seconds.
    pub elapsed_s: f64,
    /// Requests in the span; a batch counts as its heartbeats.
    pub requests: u64,
    /// Calls over HTTP. Latencies are theirs.
    pub calls: u64,
    /// Requests that did not succeed.
    pub errors: u64,
    /// Requests a second.
    pub requests_per_s: f64,
    /// How requests ended: a status of HTTP, or `closed`, `malformed`, `timeout`, `unsent`.
    pub outcomes: BTreeMap<String, u64>,
    /// From when a call was due (closed loop: sent) to its end, however it ended.
    pub latency_ms: LatencyMs,
    /// The same by kind of request.
    pub kinds: Vec<KindSummary>,
    /// The generator's own figures.
    pub generator: Generator,
    /// Processor time and memory of the measured servers.
    pub servers: Vec<ServerSummary>,
    /// Second by second.
    pub seconds: Vec<Second>,
    /// The distribution of all latencies.
    pub distribution: Vec<Quantile>,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindSummary {
    /// Such as `start`.
    pub name: String,
    /// Requests.
    pub requests: u64,
    /// Requests that did not succeed.
    pub errors: u64,
    /// Requests a second.
    pub requests_per_s: f64,
    /// Latencies of its calls.
    pub latency_ms: LatencyMs,
}

/// The generator's own figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Its threads.
    pub threads: usize,
    /// Its processor time a call, in microseconds.
    pub cpu_us_per_call: f64,
    /// The share of time that its threads were busy, from 0 to 1.
    pub busy: f64,
    /// How late calls were sent although a connection was free; open loops only. Latencies include
    /// it.
    pub lateness_ms: Option<LatencyMs>,
    /// Connections that were lost, or could not be made again.
    pub connections_lost: u64,
}

/// Processor time and memory of a server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ServerSummary {
    /// The id of its process.
    pub pid: u32,
    /// Its processor time a request, in microseconds: in the program and in the kernel.
    pub cpu_us_per_request: f64,
    /// Totals.
    #[serde(flatten)]
    pub used: ProcessUse,
}

impl Measured {
    /// The summary of a drive.
    #[must_use]
    pub fn of(driven: &Driven, servers: &[ProcessMeter]) -> Self {
        let (tally, latencies) = (driven.record.tally(), driven.record.latencies());
        let requests = tally.total();
        let calls = latencies.count();
        let elapsed = driven.elapsed;
        let kinds = driven.kinds.iter().zip(&driven.record.kinds);
        let threads = driven.loads.len();
        Self {
            elapsed_s: round(elapsed.as_secs_f64()),
            requests,
            calls,
            errors: tally.errors(),
            requests_per_s: per_second(requests, elapsed),
            outcomes: tally.iter().map(|(it, count)| (it.name(), count)).collect(),
            latency_ms: latencies.summary(),
            kinds: kinds
                .map(|(name, kind)| KindSummary {
                    name: (*name).to_owned(),
                    requests: kind.tally.total(),
                    errors: kind.tally.errors(),
                    requests_per_s: per_second(kind.tally.total(), elapsed),
                    latency_ms: kind.latencies.summary(),
                })
                .collect(),
            generator: Generator {
                threads,
                cpu_us_per_call: us_each(driven.cpu.as_secs_f64(), calls),
                busy: ratio(
                    driven.cpu.as_secs_f64(),
                    elapsed.as_secs_f64() * float(threads as u64),
                ),
                lateness_ms: (driven.record.lateness.count() > 0)
                    .then(|| driven.record.lateness.summary()),
                connections_lost: driven.record.connections_lost,
            },
            servers: servers
                .iter()
                .zip(&driven.servers)
                .map(|(meter, used)| ServerSummary {
                    pid: meter.pid(),
                    cpu_us_per_request: us_each(used.cpu_s(), requests),
                    used: *used,
                })
                .collect(),
            seconds: driven.seconds.clone(),
            distribution: latencies.distribution(),
        }
    }

    /// Whether the generator limited the run, rather than the server.
    #[must_use]
    pub fn is_limited_by_generator(&self) -> bool {
        self.generator.busy > BUSY
    }
}

fn per_second(count: u64, elapsed: Duration) -> f64 {
    ratio(float(count), elapsed.as_secs_f64())
}

/// Seconds divided by a count, in microseconds.
fn us_each(seconds: f64, by: u64) -> f64 {
    ratio(seconds * 1e6, float(by.max(1)))
}

/// Rounded; 0 of nothing.
fn ratio(of: f64, by: f64) -> f64 {
    if by > 0.0 { round(of / by) } else { 0.0 }
}
