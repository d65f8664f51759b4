//! `streamgate-measure compare`, as short as it can be: it tests not the figures, but that every
//! subject is measured and every fault reported.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A comparison too short for its figures to mean anything. It needs the binary `streamgate` of the
/// same build, and fails without.
fn compare(program: &Path, out: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["compare", "--rounds", "1"])
        .args([
            "--seconds",
            "0.5",
            "--warm-up",
            "0.1",
            "--users",
            "5000",
            "--out",
        ])
        .arg(out);
    command
}

fn measure() -> &'static Path {
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
    let rounds = subject["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 1, "{subject}");
    let round = &rounds[0];
    for figure in ["requests_per_s", "cpu_us", "p50_ms", "p99_ms"] {
        above_zero(&round[figure], subject);
    }
    let id = subject["id"].as_str().unwrap();
    assert_eq!(
        subject["per_second"].is_number(),
        id.contains("-at-"),
        "{id}"
    );
    if id.contains("disk") {
        assert!(round["memory_bytes"].is_null(), "{subject}");
        return;
    }
    above_zero(&round["memory_bytes"], subject);
    let measured = &round["measured"];
    if id.starts_with("redis") {
        assert!(measured.is_null(), "{subject}");
        return;
    }
    assert_eq!(measured["errors"], 0, "{subject}");
    let outcomes = measured["outcomes"].as_object().unwrap();
    let counts: Vec<&Value> = outcomes.values().collect();
    assert_eq!(counts, [&measured["requests"]], "{subject}");
    let in_a_call = if id == "streamgate-batch" { 1_000 } else { 1 };
    let calls = measured["calls"].as_u64().unwrap();
    assert_eq!(measured["requests"], calls * in_a_call, "{subject}");
}

/// The cells of the row of this name; the first is empty.
fn cells<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = table.lines();
    let line = lines.find(|line| line.starts_with(&format!("| {name} ")));
    line.unwrap().split('|').map(str::trim).collect()
}

#[test]
fn every_subject_is_in_the_table_the_data_and_the_page() {
    let out = directory();
    let output = compare(measure(), out.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    let data = fs::read_to_string(out.path().join("compare.json")).unwrap();
    let data: Value = serde_json::from_str(&data).unwrap();
    let page = fs::read_to_string(out.path().join("compare.html")).unwrap();

    let subjects = data["subjects"].as_array().unwrap();
    // A test of the table itself tells their ids apart.
    assert_eq!(subjects.len(), 15);
    for subject in subjects {
        check_subject(subject);
        let name = subject["name"].as_str().unwrap();
        assert!(table.contains(&format!("\n| {name} ")), "{name}: {table}");
        assert!(page.contains(&format!("<td>{name}</td>")), "{name}");
        // A bar of its own.
        assert!(page.contains(&format!(">{name}</text>")), "{name}");
    }

    let findings = data["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 14, "every goal has an answer");
    for finding in findings {
        above_zero(&finding["spread"]["median"], finding);
        let word = match finding["reached"].as_bool() {
            Some(true) => "reached",
            Some(false) => "not reached",
            None => "–",
        };
        let cells = cells(&table, finding["name"].as_str().unwrap());
        assert_eq!(cells[4], word, "{table}");
        assert_eq!(cells[3] == "–", word == "–", "{table}");
    }
    // Three of ratios, two of figures, three of latencies.
    assert_eq!(page.matches("<svg ").count(), 8);
    let closed_and_open = "Closed loop over 64 connections, or an open loop over 256 ";
    assert!(table.contains(closed_and_open), "{table}");
    assert!(page.contains(closed_and_open), "{page}");
    for fact in [
        "processors",
        "processor",
        "kernel",
        "git_commit",
        "filesystem",
    ] {
        let fact = &data["machine"][fact];
        assert!(!fact.is_null() && fact != "", "{}", data["machine"]);
    }
    let path = out.path().join("compare.html");
    assert!(table.contains(path.to_str().unwrap()), "{table}");
    // Nothing of the servers stays.
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 2);
}

#[test]
fn builds_are_compared_with_each_other() {
    let out = directory();
    let this = measure().with_file_name("streamgate");
    let output = compare(measure(), out.path())
        .args(["--only", "streamgate-heartbeat", "--streamgate"])
        .arg(&this)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    for there in [
        "| Streamgate, heartbeat ",
        "| Streamgate, heartbeat, build 2 ",
        "| Streamgate, heartbeat, build 2, CPU ÷ build 1 ",
        "| Streamgate, heartbeat, build 2, throughput ÷ build 1 ",
        &format!("Build 2 is {}.", this.display()),
    ] {
        assert!(table.contains(there), "{there}: {table}");
    }
}

#[test]
fn what_is_missing_is_named_and_nothing_is_measured() {
    let out = directory();
    let without = |only: &str| {
        let mut command = compare(measure(), out.path());
        failed(command.args(["--only", only]).env("PATH", out.path()))
    };
    let (no_redis, no_fio) = (without("redis"), without("disk"));
    for (said, package) in [(&no_redis, "redis-server"), (&no_fio, "fio")] {
        assert!(said.contains(&format!("{package} is missing")), "{said}");
        assert!(
            said.contains(&format!("apt-get install {package}")),
            "{said}"
        );
    }

    // Another directory has no `streamgate` beside it.
    let alone = out.path().join("streamgate-measure");
    fs::hard_link(measure(), &alone).unwrap();
    let unbuilt = failed(compare(&alone, out.path()).args(["--only", "streamgate-start"]));
    assert!(unbuilt.contains("cargo build -p streamgate"), "{unbuilt}");

    let wrong = failed(compare(measure(), out.path()).args(["--only", "axum,streamgat"]));
    assert!(wrong.contains("--only streamgat names none of"), "{wrong}");
    for said in [no_redis, no_fio, unbuilt, wrong] {
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
    let this = measure().with_file_name("streamgate");
    let (this, dir) = (this.to_str().unwrap(), out.path());
    // Two sessions a user are asked for.
    let set = "test \"$1\" = serve && set -- \"$@\" --set policy.default_limit=1";
    let refusing = program(dir, &format!("{set}\nexec '{this}' \"$@\""));
    let only = ["--only", "streamgate-start", "--streamgate"];
    let said = failed(compare(measure(), dir).args(only).arg(&refusing));
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
    let this = measure().with_file_name("streamgate");
    let (this, dir) = (this.to_str().unwrap(), out.path());
    let set = "test \"$1\" = serve && set -- \"$@\" --set policy.lease=1";
    let failing = program(dir, &format!("{set}\nexec '{this}' \"$@\""));
    let only = ["--only", "streamgate-heartbeat", "--streamgate"];
    let said = failed(compare(measure(), dir).args(only).arg(&failing));
    for there in ["script ended at once: ", "policy.lease"] {
        assert!(said.contains(there), "{there}: {said}");
    }
    let no_server = Path::new("/bin/true");
    let said = failed(compare(measure(), dir).args(only).arg(no_server));
    assert!(said.contains("/true makes no key"), "{said}");
}
