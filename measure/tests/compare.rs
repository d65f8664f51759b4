//! `streamgate-measure compare`, as short as it can be: not for its figures, but for every subject
//! being there, and for nothing being passed over in silence.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Everything that is compared: the id, and what people read.
const SUBJECTS: [(&str, &str); 22] = [
    ("axum-start", "bare axum, start"),
    ("axum-heartbeat", "bare axum, heartbeat"),
    ("hyper-start", "bare hyper, start"),
    ("streamgate-heartbeat", "Streamgate, heartbeat"),
    ("streamgate-start", "Streamgate, start"),
    ("streamgate-stop", "Streamgate, stop"),
    (
        "streamgate-batch",
        "Streamgate, heartbeats in batches of 1,000",
    ),
    ("streamgate-start-at-20000", "Streamgate, start at 20,000/s"),
    ("streamgate-start-at-50000", "Streamgate, start at 50,000/s"),
    ("axum-start-at-20000", "bare axum, start at 20,000/s"),
    ("axum-start-at-50000", "bare axum, start at 50,000/s"),
    ("disk-start-at-20000", "the disk alone, start at 20,000/s"),
    (
        "busy-disk-start-at-20000",
        "the disk, processors busy, start at 20,000/s",
    ),
    ("disk-start-at-50000", "the disk alone, start at 50,000/s"),
    (
        "busy-disk-start-at-50000",
        "the disk, processors busy, start at 50,000/s",
    ),
    ("redis-none-start", "Redis, no AOF, start"),
    ("redis-none-heartbeat", "Redis, no AOF, heartbeat"),
    ("redis-everysec-start", "Redis, AOF everysec, start"),
    ("redis-everysec-heartbeat", "Redis, AOF everysec, heartbeat"),
    ("redis-always-start", "Redis, AOF always, start"),
    ("redis-always-heartbeat", "Redis, AOF always, heartbeat"),
    (
        "redis-always-start-at-20000",
        "Redis, AOF always, start at 20,000/s",
    ),
];

/// The targets, as they are printed.
const TARGETS: [(&str, &str); 10] = [
    ("heartbeat, CPU ÷ bare axum", "≤ 1.2"),
    ("heartbeat, throughput ÷ bare axum", "≥ 0.85"),
    ("durable start, CPU ÷ bare axum", "≤ 1.45"),
    ("durable start, throughput ÷ bare axum", "≥ 0.7"),
    ("durable stop, CPU ÷ bare axum", "≤ 1.45"),
    ("durable stop, throughput ÷ bare axum", "≥ 0.7"),
    ("durable start, CPU ÷ Redis alone, AOF always", "< 1"),
    (
        "heartbeats a second in batches, half of two cores for the load",
        "≥ 1,000,000",
    ),
    ("durable start at 20,000/s, p99 in ms", "≤ 3"),
    ("durable start at 50,000/s, p99 in ms", "≤ 5"),
];

/// How long each run counts.
const SECONDS: f64 = 0.3;

/// A comparison whose figures mean nothing. It wants the binary `streamgate` of the same build, and
/// fails where that is not there.
fn compare(program: &Path, out: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["compare", "--rounds", "1"])
        .args(["--seconds", &SECONDS.to_string()])
        .args(["--warm-up", "0.1", "--users", "500", "--out"])
        .arg(out);
    command
}

fn bench() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_streamgate-measure"))
}

/// A directory on the disk that the build is on; `/tmp` may be in memory.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    text(&output.stdout) + &text(&output.stderr)
}

fn failed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    said(&output)
}

fn above_zero(value: &Value, all: &Value) {
    let number = value.as_f64();
    assert!(
        number.is_some_and(|number| number > 0.0),
        "{value} in {all}"
    );
}

/// What a program reads of one subject.
fn check_subject(subject: &Value) {
    for figure in [
        "requests_per_s",
        "cpu_us_per_request",
        "p50_ms",
        "p99_ms",
        "p99_9_ms",
    ] {
        above_zero(&subject[figure]["median"], subject);
    }
    let id = subject["id"].as_str().unwrap();
    let is_open = subject["requests_per_s_asked"].is_number();
    assert_eq!(is_open, id.contains("-at-"), "{id}");
    let rounds = subject["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 1, "{subject}");
    let round = &rounds[0];
    assert_eq!(round["errors"], 0, "{subject}");
    let outcomes = round["outcomes"].as_object().unwrap();
    let counts: Vec<&Value> = outcomes.values().collect();
    assert_eq!(counts, [&round["requests"]], "{subject}");
    above_zero(&round["requests"], subject);
    let others = round["others_busy"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&others), "{subject}");
    if id.contains("disk") {
        return check_disk(subject, round);
    }
    above_zero(&subject["memory_bytes"]["median"], subject);
    above_zero(&round["generator"]["busy"], subject);
    assert_eq!(subject["connections"], if is_open { 256 } else { 64 });
    let in_a_call = if id == "streamgate-batch" { 1_000 } else { 1 };
    let calls = round["calls"].as_u64().unwrap();
    assert_eq!(round["requests"], calls * in_a_call, "{subject}");
    match &round["sessions"] {
        Value::Null => assert!(id.starts_with("axum") || id.starts_with("hyper"), "{id}"),
        sessions if id.ends_with("heartbeat") || id.ends_with("batch") => {
            assert_eq!(sessions, 1_000, "{id}");
        }
        sessions => assert!(sessions.is_u64(), "{id} {sessions}"),
    }
}

/// The cells of the row of this name; the first is empty.
fn cells<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = table.lines();
    let line = lines.find(|line| line.starts_with(&format!("| {name} ")));
    line.unwrap().split('|').map(str::trim).collect()
}

/// What has no server has no figures of one, and as many records as were due.
fn check_disk(subject: &Value, round: &Value) {
    let of_servers = ["connections", "memory_bytes"].map(|figure| &subject[figure]);
    assert_eq!(of_servers, [&Value::Null; 2], "{subject}");
    assert!(round["sessions"].is_null(), "{subject}");
    let due = subject["requests_per_s_asked"].as_f64().unwrap() * SECONDS;
    let written = round["requests"].as_f64().unwrap();
    assert!((written - due).abs() <= 1.0, "{written} of {due}");
}

#[test]
fn every_subject_is_in_the_table_the_data_and_the_page() {
    let out = directory();
    let output = compare(bench(), out.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    let data = fs::read_to_string(out.path().join("compare.json")).unwrap();
    let data: Value = serde_json::from_str(&data).unwrap();
    let page = fs::read_to_string(out.path().join("compare.html")).unwrap();

    let subjects = data["subjects"].as_array().unwrap();
    let ids: Vec<&str> = subjects
        .iter()
        .map(|it| it["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, SUBJECTS.map(|subject| subject.0));
    subjects.iter().for_each(check_subject);
    for (_, name) in SUBJECTS {
        assert!(table.contains(&format!("\n| {name} ")), "{name}: {table}");
        assert!(page.contains(&format!("<td>{name}</td>")), "{name}");
        // A bar of its own.
        assert!(page.contains(&format!("\n{name}\n</text>")), "{name}");
    }

    let findings = data["findings"].as_array().unwrap();
    for (name, goal) in TARGETS {
        let finding = findings.iter().find(|it| it["name"] == name);
        let finding = finding.unwrap_or_else(|| panic!("{name}: {findings:?}"));
        assert_eq!(finding["goal"], goal, "{name}");
        above_zero(&finding["spread"]["median"], finding);
        let word = match finding["reached"].as_bool().unwrap() {
            true => "reached",
            false => "not reached",
        };
        let cells = cells(&table, name);
        assert_eq!((cells[3], cells[4]), (goal, word), "{table}");
    }
    for rate in ["20,000", "50,000"] {
        let name = format!("durable start at {rate}/s, p99 ÷ the disk alone");
        let finding = findings.iter().find(|it| it["name"] == name.as_str());
        let finding = finding.unwrap_or_else(|| panic!("{name}: {findings:?}"));
        above_zero(&finding["spread"]["median"], finding);
        assert!(finding["goal"].is_null() && finding["reached"].is_null());
        let cells = cells(&table, &format!("the disk alone, start at {rate}/s"));
        // Memory, sessions, and the generator.
        assert_eq!(cells[8..11], ["–"; 3], "{table}");
    }
    // Three of ratios, two of figures, four of latencies.
    assert_eq!(page.matches("<svg ").count(), 9);
    let closed_and_open = "Closed loop over 64 connections, or an open loop over 256 ";
    assert!(table.contains(closed_and_open), "{table}");
    assert!(page.contains(closed_and_open), "{page}");
    for fact in [
        "processors",
        "processor",
        "kernel",
        "rustc",
        "git_commit",
        "redis",
        "filesystem",
    ] {
        let fact = &data["machine"][fact];
        assert!(!fact.is_null() && fact != "", "{}", data["machine"]);
    }
    assert!(
        table.contains(out.path().join("compare.html").to_str().unwrap()),
        "{table}"
    );
    // Nothing of the servers stays.
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 2);
}

#[test]
fn builds_are_compared_with_each_other() {
    let out = directory();
    let this = bench().with_file_name("streamgate");
    let output = compare(bench(), out.path())
        .args(["--only", "streamgate-heartbeat", "--streamgate"])
        .arg(&this)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    for there in [
        "| Streamgate, heartbeat ",
        "| Streamgate, heartbeat, build 2 ",
        "| build 2, heartbeat, CPU ÷ build 1 ",
        "| build 2, heartbeat, throughput ÷ build 1 ",
        &format!("Build 2 is {}.", this.display()),
    ] {
        assert!(table.contains(there), "{there}: {table}");
    }
}

#[test]
fn what_is_missing_is_named_and_nothing_is_measured() {
    let out = directory();
    let nowhere = failed(compare(bench(), out.path()).env("PATH", out.path()));
    let names_package = "redis-server is missing";
    assert!(nowhere.contains(names_package), "{nowhere}");
    assert!(
        nowhere.contains("apt-get install redis-server"),
        "{nowhere}"
    );

    // Another directory has no `streamgate` beside it.
    let alone = out.path().join("streamgate-measure");
    fs::hard_link(bench(), &alone).unwrap();
    let unbuilt = failed(compare(&alone, out.path()).args(["--only", "streamgate-start"]));
    assert!(unbuilt.contains("cargo build -p streamgate"), "{unbuilt}");

    let wrong = failed(compare(bench(), out.path()).args(["--only", "axum,streamgat"]));
    assert!(wrong.contains("--only streamgat names none of"), "{wrong}");
    for said in [nowhere, unbuilt, wrong] {
        assert!(!said.contains("1/1"), "{said}");
    }
}

/// A program of the name `streamgate`, as a script for the shell.
fn program(dir: &Path, script: &str) -> PathBuf {
    let path = dir.join("script");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn one_refusal_voids_the_comparison() {
    let out = directory();
    let this = bench().with_file_name("streamgate");
    let (this, dir) = (this.to_str().unwrap(), out.path());
    // Two sessions a user are asked for.
    let set = "test \"$1\" = serve && set -- \"$@\" --set policy.default_limit=1";
    let refusing = program(dir, &format!("{set}\nexec '{this}' \"$@\""));
    let only = ["--only", "streamgate-start", "--streamgate"];
    let said = failed(compare(bench(), dir).args(only).arg(&refusing));
    for there in [
        "Streamgate, start, build 2: not all answers are 201: ",
        "409: ",
        "the comparison is void",
    ] {
        assert!(said.contains(there), "{there}: {said}");
    }
    assert!(
        !dir.join("compare.json").exists(),
        "what is void is not kept"
    );
}

#[test]
fn a_server_that_does_not_start_is_named_with_what_it_said() {
    let out = directory();
    let this = bench().with_file_name("streamgate");
    let (this, dir) = (this.to_str().unwrap(), out.path());
    let set = "test \"$1\" = serve && set -- \"$@\" --set policy.lease=1";
    let failing = program(dir, &format!("{set}\nexec '{this}' \"$@\""));
    let only = ["--only", "streamgate-heartbeat", "--streamgate"];
    let said = failed(compare(bench(), dir).args(only).arg(&failing));
    for there in ["script ended at once: ", "policy.lease"] {
        assert!(said.contains(there), "{there}: {said}");
    }
    let no_server = Path::new("/bin/true");
    let said = failed(compare(bench(), dir).args(only).arg(no_server));
    assert!(said.contains("/true makes no key"), "{said}");
}
