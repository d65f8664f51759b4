//! `streamgate-measure growth`, as short as it can be: it tests not the figures, but that all of
//! them are measured. It needs the binary `streamgate` of the same build, and fails without.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn measure(arguments: &[&str], out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_streamgate-measure"))
        .args(arguments)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap()
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn read(out: &Path, name: &str) -> String {
    fs::read_to_string(out.join(name)).unwrap()
}

fn above_zero(value: &Value) {
    assert!(value.as_f64().is_some_and(|it| it > 0.0), "{value}");
}

/// Measures two crowds, for this many seconds a way. Each user starts and stops in turn: of a few
/// hundred, one can be asked again before a late stop is answered, and is at its limit.
fn grown(out: &Path, seconds: &str) -> Value {
    let arguments = [
        "growth",
        "--users",
        "5000,30000",
        "--rounds",
        "2",
        "--seconds",
        seconds,
    ];
    let output = measure(&arguments, out);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("| 30000 "), "{said}");
    serde_json::from_str(&read(out, "growth.json")).unwrap()
}

/// What was measured, of each crowd, round and way.
fn measured(all: &Value) -> impl Iterator<Item = &Value> {
    all["crowds"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|crowd| crowd["rounds"].as_array().unwrap())
        .flat_map(|round| round.as_array().unwrap())
}

#[test]
fn growth_calls_every_crowd_in_every_way() {
    let out = directory();
    let mut all = Value::Null;
    // On a busy machine the shortest run can end before its first answer.
    for seconds in ["0.4", "2", "10"] {
        all = grown(out.path(), seconds);
        if measured(&all).all(|it| it["requests"].as_u64() > Some(0)) {
            break;
        }
    }
    assert!(read(out.path(), "growth.html").contains("<td>30000</td>"));
    let crowds = all["crowds"].as_array().unwrap();
    assert_eq!(crowds.len(), 2);
    for crowd in crowds {
        for figure in ["ready_s", "memory_bytes", "disk_bytes"] {
            above_zero(&crowd[figure]);
        }
        let users = crowd["users"].as_u64().unwrap();
        assert_eq!(crowd["sessions"], users * 2);
        let rounds = crowd["rounds"].as_array().unwrap();
        assert_eq!(rounds.len(), 2);
        let mut cpu_us = 0.0;
        for measured in rounds.iter().flat_map(|round| round.as_array().unwrap()) {
            above_zero(&measured["requests"]);
            // The kernel counts in ticks of 10 ms. A server that the scheduler let run for less
            // within one of these short runs has used none.
            cpu_us += measured["servers"][0]["cpu_us_per_request"]
                .as_f64()
                .unwrap();
            assert_eq!(measured["errors"], 0);
        }
        assert!(cpu_us > 0.0, "{crowd}");
    }
}
