//! What other programs measure: `redis-benchmark` a Redis that runs a Lua script a start, `fio`
//! the disk.

use std::path::Path;

use serde_json::Value;
use streamgate_loadgen::ProcessMeter;
use streamgate_loadgen::figures::float;

use super::round::{Plan, Round};
use super::table::{Server, Subject};
use crate::Result;
use crate::servers::{self, command, output};

/// Streamgate's defaults, as the script takes them.
const LEASE_MS: &str = "90000";
const LIMIT: &str = "3";

/// Ids as long as Streamgate's are here: 13 letters for a user, a UUID for a session.
/// `redis-benchmark` puts a random number of twelve digits in place of the word.
const USER: &str = "u__rand_int__";
const SESSION: &str = "0193503c-5d3e-7c4a-9a3b-__rand_int__";

/// Users: enough that hardly one comes twice.
const USERS: &str = "1000000000";

/// Requests that show how many there can be in a second.
const TRIAL: u64 = 20_000;

/// Fails if a program is missing that these subjects need.
pub(super) fn check(subjects: &[Subject]) -> Result<()> {
    for subject in subjects {
        let programs: &[&str] = match subject.server {
            Server::Axum | Server::Streamgate => &[],
            Server::Disk | Server::BusyDisk => &["fio"],
            _ => &["redis-server", "redis-benchmark"],
        };
        for program in programs {
            output(command(Path::new(program)).arg("--version"))?;
        }
    }
    Ok(())
}

/// Measures starts on Redis. A refusal is an error of the script, at which `redis-benchmark` gives
/// up.
pub(super) fn redis(appendfsync: Option<&str>, plan: &Plan) -> Result<Round> {
    let dir = tempfile::tempdir_in(&plan.dir)?;
    let redis = servers::redis(appendfsync, dir.path())?;
    let sha1: String = redis.ask(&["script", "load", include_str!("redis_start.lua")]);
    let call = ["evalsha", &sha1, "1", USER, SESSION, LEASE_MS, LIMIT];
    let benchmark = |requests: u64| -> Result<[f64; 7]> {
        let mut benchmark = command(Path::new("redis-benchmark"));
        benchmark
            .args(["-p", &redis.port.to_string(), "--csv", "--precision", "3"])
            .args(["-c", &plan.connections.to_string()])
            .args(["-n", &requests.to_string(), "-r", USERS])
            .args(call);
        let said = output(&mut benchmark)?;
        csv(&said).ok_or_else(|| format!("redis-benchmark said {said}").into())
    };
    let [per_second, ..] = benchmark(TRIAL)?;
    let requests = whole(per_second * plan.seconds).max(1_000);
    let meter = ProcessMeter::of(redis.pid())?;
    let before = meter.read()?;
    let [requests_per_s, _, _, p50_ms, _, p99_ms, _] = benchmark(requests)?;
    let used = meter.read()?.since(&before);
    Ok(Round {
        cpu_us: used.cpu_s() * 1e6 / float(requests),
        requests_per_s,
        p50_ms,
        p99_ms,
        memory_bytes: Some(used.resident_bytes),
        ..Round::default()
    })
}

/// The figures of `--csv`: requests a second, then latencies: average, least, p50, p95, p99, most.
fn csv(said: &str) -> Option<[f64; 7]> {
    let line = said.lines().nth(1)?;
    let figures = line
        .split("\",\"")
        .skip(1)
        .map(|it| it.trim_matches('"').parse().ok());
    figures.collect::<Option<Vec<f64>>>()?.try_into().ok()
}

/// A whole number, of no more digits than a run has requests.
fn whole(value: f64) -> u64 {
    format!("{value:.0}").parse().unwrap_or(0)
}

/// Least time for `fio`: a sync can take some hundredths of a second.
const DISK_S_MIN: f64 = 1.0;

/// Measures the disk: 4 KiB are written over old ones and synced, one after the other, on one
/// thread; beside a thread for each processor that is never idle, if it is busy.
pub(super) fn disk(is_busy: bool, plan: &Plan) -> Result<Round> {
    let dir = tempfile::tempdir_in(&plan.dir)?;
    let runtime_ms = whole(plan.seconds.max(DISK_S_MIN) * 1e3);
    let mut options = format!(
        "--output-format=json --name=sync --filename=file --size=64m --overwrite=1 --rw=write \
         --bs=4k --ioengine=sync --fdatasync=1 --time_based --runtime={runtime_ms}ms"
    );
    if is_busy {
        let processors = std::thread::available_parallelism()?;
        options += &format!(
            " --name=busy --ioengine=cpuio --cpuload=100 --time_based --runtime={runtime_ms}ms \
             --numjobs={processors}"
        );
    }
    let mut fio = command(Path::new("fio"));
    fio.current_dir(dir.path()).args(options.split(' '));
    let said = output(&mut fio)?;
    // Lines for people stand before the JSON.
    let json = said.find('{').and_then(|begin| said.get(begin..));
    let fio: Value = serde_json::from_str(json.ok_or("fio printed no JSON")?)?;
    let job = &fio["jobs"][0];
    // Percentiles are missing if nothing was synced.
    let figure = |path: &str| {
        job.pointer(path)
            .and_then(Value::as_f64)
            .unwrap_or_default()
    };
    let percentile = |share: &str| figure(&format!("/sync/lat_ns/percentile/{share}")) / 1e6;
    let requests_per_s = figure("/write/iops");
    Ok(Round {
        cpu_us: (figure("/usr_cpu") + figure("/sys_cpu")) * 1e4 / requests_per_s,
        requests_per_s,
        p50_ms: percentile("50.000000"),
        p99_ms: percentile("99.000000"),
        p99_9_ms: Some(percentile("99.900000")),
        ..Round::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_taken_from_the_second_line() {
        let heads = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\
                     \"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"";
        let line =
            "\"evalsha 5a 1 u\",\"40000.00\",\"0.5\",\"0.1\",\"0.4\",\"0.9\",\"1.2\",\"3.0\"";
        let figures = csv(&format!("{heads}\n{line}\n"));
        assert_eq!(figures, Some([40_000.0, 0.5, 0.1, 0.4, 0.9, 1.2, 3.0]));
        assert_eq!(csv(heads), None);
        assert_eq!(csv("a\n\"evalsha\",\"1\"\n"), None);
    }
}
