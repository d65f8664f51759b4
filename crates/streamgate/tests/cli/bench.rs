//! `streamgate bench` against a server: its figures are true, and its sessions are stopped.

use std::fmt::Debug;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use streamgate_testkit::{Ran, Server, run, run_with, streamgate};
use tempfile::TempDir;

/// A short run.
const SHORT: [&str; 6] = ["--duration", "1", "--warm-up", "0.2", "--connections", "8"];

fn serve(dir: &TempDir, arguments: &[&str]) -> Server {
    Server::start_with(&dir.path().join("data"), arguments)
}

/// Runs it. Lines of progress, which a slow machine gets to see, are left out.
fn bench(url: &str, arguments: &[&str]) -> Ran {
    let mut ran = run(&[&["bench", "--target", url], &SHORT[..], arguments].concat());
    let lines = ran.stderr.split_inclusive('\n');
    ran.stderr = lines.filter(|line| !line.contains(" a second")).collect();
    ran
}

/// The live sessions of a server.
fn sessions(server: &Server) -> Vec<Value> {
    let listed = server
        .call("GET", "/v1/sessions?page_size=1000", None)
        .json();
    listed["sessions"].as_array().unwrap().clone()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no count"))
}

/// Runs it until a run is as it should be: one of a second may have no answers on a busy machine.
fn run_until<T: Debug>(run: impl Fn() -> T, is_good: impl Fn(&T) -> bool) -> T {
    let mut ran = run();
    for _ in 1..20 {
        if is_good(&ran) {
            break;
        }
        ran = run();
    }
    assert!(is_good(&ran), "{ran:?}");
    ran
}

/// The summary of a run that must have gone well.
fn summary(server: &Server, arguments: &[&str]) -> Value {
    let arguments = [&["--json"], arguments].concat();
    let summary = run_until(
        || bench(&server.url(), &arguments).json(),
        |summary| number(&summary["requests"]) > 0,
    );
    let sum = |counts: &mut dyn Iterator<Item = &Value>| counts.map(number).sum::<u64>();
    let requests = number(&summary["requests"]);
    let outcomes = summary["outcomes"].as_object().unwrap();
    assert_eq!(sum(&mut outcomes.values()), requests, "{summary}");
    let kinds = summary["kinds"].as_array().unwrap();
    assert_eq!(sum(&mut kinds.iter().map(|it| &it["requests"])), requests);
    let seconds = summary["seconds"].as_array().unwrap();
    assert_eq!(sum(&mut seconds.iter().map(|it| &it["requests"])), requests);
    assert_eq!(summary["errors"], 0, "{summary}");
    let elapsed_s = summary["elapsed_s"].as_f64().unwrap();
    assert!(elapsed_s >= 0.99, "{summary}");
    let per_second = summary["requests_per_s"].as_f64().unwrap();
    assert!(
        (per_second * elapsed_s / requests as f64 - 1.0).abs() < 0.01,
        "{summary}"
    );
    let latency = |name| summary["latency_ms"][name].as_f64().unwrap();
    let rising = ["p50", "p90", "p99", "p99_9", "max"].map(latency);
    assert!(rising.is_sorted() && rising[0] > 0.0, "{summary}");
    assert_eq!(summary["interrupted"], false);
    assert_eq!(summary["cleanup"]["left"], 0, "{summary}");
    assert_eq!(sessions(server), Vec::<Value>::new(), "nothing stays");
    summary
}

#[test]
fn starts_and_stops_are_measured_apart() {
    let dir = TempDir::new().unwrap();
    let server = serve(&dir, &[]);
    let pid = server.pid().to_string();
    // The system counts processor time in hundredths of a second, and a busy machine may not give
    // the server that many in a second.
    let has_time = |summary: &Value| {
        let used = &summary["servers"][0];
        ["user_s", "system_s"]
            .iter()
            .all(|figure| used[figure].as_f64().unwrap() > 0.0)
    };
    let summary = run_until(|| summary(&server, &["--server-pid", &pid]), has_time);
    assert_eq!(summary["plan"]["workload"], "start-stop");
    let kind = |place: usize| &summary["kinds"][place];
    assert_eq!(
        (&kind(0)["name"], &kind(1)["name"]),
        (&"start".into(), &"stop".into())
    );
    let difference = number(&kind(0)["requests"]).abs_diff(number(&kind(1)["requests"]));
    assert!(difference <= 16, "{summary}");
    let used = &summary["servers"][0];
    assert_eq!(number(&used["pid"]), u64::from(server.pid()));
    let second = &summary["seconds"][0];
    assert!(number(&second["resident_bytes"]) > 0, "{summary}");
    for figure in ["cpu_us_per_request", "resident_bytes"] {
        assert!(used[figure].as_f64().unwrap() > 0.0, "{figure}: {summary}");
    }
    assert!(
        summary["generator"]["cpu_us_per_call"].as_f64().unwrap() > 0.0,
        "{summary}"
    );
}

#[test]
fn starts_are_of_ever_new_users_and_all_are_stopped() {
    let dir = TempDir::new().unwrap();
    let server = serve(&dir, &[]);
    let summary = summary(&server, &["--workload", "starts", "--rate", "500"]);
    let requests = number(&summary["requests"]);
    assert!((499..=501).contains(&requests), "{summary}");
    assert_eq!(number(&summary["outcomes"]["201"]), requests);
    // Those of the warm-up, too.
    let stopped = number(&summary["cleanup"]["stopped"]);
    assert!((599..=601).contains(&stopped), "{summary}");
}

#[test]
fn heartbeats_are_of_sessions_that_are_live() {
    let dir = TempDir::new().unwrap();
    let server = serve(&dir, &[]);
    let audience = ["--users", "100", "--sessions-per-user", "3"];
    for (workload, least) in [("heartbeats", 100), ("batch", 1_000)] {
        let all = [&["--workload", workload, "--batch", "50"], &audience[..]].concat();
        let summary = summary(&server, &all);
        assert_eq!(summary["ramp"]["started"], 300, "{summary}");
        let requests = number(&summary["requests"]);
        assert_eq!(number(&summary["outcomes"]["200"]), requests);
        assert!(requests >= least, "{summary}");
        let calls = number(&summary["calls"]);
        assert_eq!(
            requests,
            if workload == "batch" {
                calls * 50
            } else {
                calls
            }
        );
        assert_eq!(summary["cleanup"]["stopped"], 300);
    }
}

#[test]
fn an_audience_gathers_calls_changes_and_leaves() {
    let dir = TempDir::new().unwrap();
    let server = serve(&dir, &[]);
    let audience = [
        "--users",
        "50",
        "--ramp",
        "0.3",
        "--heartbeat-interval",
        "2",
    ];
    let churn = ["--churn", "600"];
    let summary = summary(
        &server,
        &[&["--workload", "live"], &audience[..], &churn].concat(),
    );
    let kinds = summary["kinds"].as_array().unwrap();
    let of = |name| number(&kinds.iter().find(|it| it["name"] == name).unwrap()["requests"]);
    // A hundred sessions, each every other second and first half a second after its start. Ten
    // change in a second, from 0.3 s into the span on, and are back after a quarter of a second.
    assert!((34..=38).contains(&of("heartbeat")), "{summary}");
    assert!((6..=8).contains(&of("stop")), "{summary}");
    assert!((4..=6).contains(&of("start")), "{summary}");
    // Who has stopped and not started again yet is not there.
    let stopped = number(&summary["cleanup"]["stopped"]);
    assert!((90..=100).contains(&stopped), "{summary}");
}

#[test]
fn people_read_a_table_and_a_page() {
    let dir = TempDir::new().unwrap();
    let server = serve(&dir, &[]);
    let report = dir.path().join("report.html");
    let page = report.to_str().unwrap();
    let answers = "answers     201: ";
    let said = run_until(
        || bench(&server.url(), &["--html", page, "--prefix", "me-"]).ok(),
        |said| said.contains(answers),
    );
    for there in [
        format!("start-stop on {}, closed loop, 8 connections", server.url()),
        "REQUESTS  COUNT".to_owned(),
        "\nall ".to_owned(),
        "--rate measures what players feel".to_owned(),
    ] {
        assert!(said.contains(&there), "{there}: {said}");
    }
    let page = fs::read_to_string(&report).unwrap();
    assert_eq!(page.matches("<svg ").count(), 3, "{page}");
    assert!(page.contains(&format!("<title>start-stop on {}</title>", server.url())));
    assert!(!page.contains("<script"));
}

#[test]
fn a_key_is_sent_and_a_wrong_one_ends_it_at_once() {
    let dir = TempDir::new().unwrap();
    let made = run(&[
        "key", "new", "--json", "--scope", "player", "--name", "bench",
    ])
    .json();
    let hash = made["sha256"].as_str().unwrap_or_else(|| panic!("{made}"));
    let key = made["key"].as_str().unwrap();
    let config = dir.path().join("streamgate.toml");
    let text = format!("[[keys]]\nname = \"bench\"\nsha256 = \"{hash}\"\nscope = \"player\"\n");
    fs::write(&config, text).unwrap();
    let server = serve(&dir, &["--config", config.to_str().unwrap()]);
    bench(&server.url(), &["--key", key]).ok();
    let from_file = format!(" {key}\r");
    let by_variable = run_with(
        &[&["bench", "--target", &server.url()], &SHORT[..]].concat(),
        &[("STREAMGATE_KEY", from_file.as_str())],
    );
    assert_eq!(by_variable.code, Some(0), "{by_variable:?}");
    for wrong in [&["--key", "wrong"][..], &[]] {
        let said = bench(&server.url(), wrong).failed(1);
        assert!(
            said.contains("HTTP 401") && said.contains("--key"),
            "{said}"
        );
    }
    bench(&server.url(), &["--key", "a\nb"]).failed(2);
}

#[test]
fn bench_ends_at_once_if_no_server_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let said = bench(&url, &[]).failed(69);
    assert!(said.contains(&url), "{said}");
}

#[test]
fn bench_arguments_that_cannot_work_are_usage_errors() {
    let dir = TempDir::new().unwrap();
    let server = serve(&dir, &["--set", "policy.default_limit=2"]);
    for (wrong, word) in [
        (&["--duration", "3601"][..], "at most an hour"),
        (&["--rate", "0"], "more than 0"),
        (&["--prefix", "a/b"], "--prefix"),
        (&["--heartbeat-interval", "5"], "live"),
        (
            &["--workload", "starts", "--sessions-per-user", "3"],
            "admits 2 sessions",
        ),
        (&["--server-pid", "4294967295"], "4294967295"),
    ] {
        let said = run(&[&["bench", "--target", &server.url()], wrong].concat()).failed(2);
        assert!(said.contains(word), "{wrong:?}: {said}");
    }
    let said = run(&["bench"]).failed(2);
    assert!(said.contains("--target"), "{said}");
    for url in ["localhost:8080", "ftp://a"] {
        bench(url, &[]).failed(2);
    }
    let nowhere = dir.path().join("no/report.html");
    bench(&server.url(), &["--html", nowhere.to_str().unwrap()]).failed(1);
    assert_eq!(sessions(&server), Vec::<Value>::new());
}

/// `streamgate bench` for longer than the test waits.
fn ten_minutes_of(workload: &str, server: &Server) -> Command {
    let target = server.url();
    let mut command = streamgate(&["bench", "--target", &target, "--duration", "600"]);
    command.args(["--workload", workload]);
    command
}

#[test]
fn bench_interrupted_by_ctrl_c_still_reports() {
    let dir = TempDir::new().unwrap();
    let server = serve(&dir, &[]);
    let child = ten_minutes_of("heartbeats", &server)
        .arg("--json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // All of its sessions are there, so it has begun; the load runs for ten minutes.
    while sessions(&server).len() < 1_000 {}
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.starts_with("ending; "), "{ran:?}");
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(summary["interrupted"], true, "{summary}");
    assert_eq!(summary["cleanup"]["left"], 0, "{summary}");
    assert_eq!(sessions(&server), Vec::<Value>::new());
}

#[test]
fn bench_ends_at_once_at_a_second_signal() {
    let dir = TempDir::new().unwrap();
    let server = serve(&dir, &[]);
    let mut child = ten_minutes_of("live", &server)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One is there before the load, to find out how the server is set.
    while sessions(&server).len() < 2 {}
    // The server no longer answers, so that the run cannot end by itself.
    server.signal(Signal::STOP);
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert!(said.starts_with("ending; "), "{said}");
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
