//! Promise 13: no pause and no step of the wall clock admits more than the limit, and a pause of
//! the server costs no session its slot. Times in answers are the wall clock's.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::Value;
use streamgate_testkit::faketime::WallClock;
use streamgate_testkit::{Request, Server, serve_arguments, streamgate};
use tempfile::TempDir;

/// One slot, and a lease that a test can wait for.
const ONE_SLOT: [&str; 4] = [
    "--set",
    "policy.lease_s=6",
    "--set",
    "policy.default_limit=1",
];

const SESSIONS: &str = "/v1/users/u/sessions";
const HEARTBEAT: &str = "/v1/users/u/sessions/watching/heartbeat";

fn serve(dir: &TempDir, arguments: &[&str]) -> Command {
    streamgate(&[&serve_arguments(dir.path())[..], arguments].concat())
}

/// A server with one slot a user, which sees this wall clock.
fn serve_by(wall: &WallClock, dir: &TempDir) -> Server {
    let mut command = serve(dir, &["--set", "policy.default_limit=1"]);
    wall.show_to(&mut command);
    Server::spawn(command)
}

/// Starts the session that holds the one slot.
fn watch(server: &Server) {
    let started = server.call("PUT", "/v1/users/u/sessions/watching", None);
    assert_eq!(started.status, 201, "{started:?}");
}

/// Another asks for the slot, and is refused; the answer.
fn refused(server: &Server) -> Value {
    let refused = server.call("PUT", "/v1/users/u/sessions/another", None);
    assert_eq!(refused.status, 409, "{refused:?}");
    refused.json()
}

/// By how many seconds a time in an answer is later than the right time.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock that the server does not see"
)]
fn seconds_from_now(answer: &Value, name: &str) -> i64 {
    let text = answer[name].as_str().unwrap().replace(".000Z", "Z");
    let second = text.split('.').next().unwrap().trim_end_matches('Z');
    let [date, time] = second.split('T').collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    let of = |part: &str, by| {
        part.split(by)
            .map(|n| n.parse().unwrap())
            .collect::<Vec<i64>>()
    };
    let (date, time) = (of(date, '-'), of(time, ':'));
    let (year, month) = if date[1] > 2 {
        (date[0], date[1] - 3)
    } else {
        (date[0] - 1, date[1] + 9)
    };
    // Days since 1970-01-01, in years that begin in March.
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + date[2]
        - 1
        - 719_468;
    let told = days * 86_400 + time[0] * 3_600 + time[1] * 60 + time[2];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    told - i64::try_from(now.as_secs()).unwrap()
}

/// Calls wait for the process when it goes on, and newcomers come before those who watch: their
/// starts may be decided before any timer of the process has run.
#[expect(
    clippy::disallowed_methods,
    reason = "a process that stands still reports nothing"
)]
#[test]
fn a_pause_longer_than_the_lease_ends_no_watching_session() {
    const USERS: usize = 40;
    let dir = TempDir::new().unwrap();
    let mut server = Server::spawn(serve(&dir, &ONE_SLOT));
    let session = |user, id: &str| format!("/v1/users/u{user}/sessions/{id}");
    for user in 0..USERS {
        let started = server.call("PUT", &session(user, "watching"), None);
        assert_eq!(started.status, 201, "{started:?}");
    }
    server.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(8));
    let sent = |method, path: String| Request::sent(server.address, method, &path);
    let newcomers: Vec<Request> = (0..USERS)
        .map(|user| sent("PUT", session(user, "another")))
        .collect();
    let heartbeats: Vec<Request> = (0..USERS)
        .map(|user| sent("POST", session(user, "watching/heartbeat")))
        .collect();
    server.signal(Signal::CONT);
    for newcomer in newcomers {
        let refused = newcomer.answer();
        assert_eq!(refused.status, 409, "{refused:?}");
        let refusal = refused.json();
        let left = seconds_from_now(&refusal, "next_slot_at");
        assert!((1..=6).contains(&left), "{left} s: {refusal}");
    }
    for heartbeat in heartbeats {
        let renewed = heartbeat.answer();
        assert_eq!(renewed.status, 200, "{renewed:?}");
    }
    let line = server.wait_for_log("the process stood still");
    assert!(line.contains("hold it for one lease more"), "{line}");
}

#[test]
fn times_in_answers_follow_a_step_of_the_wall_clock_and_leases_do_not() {
    const HOUR_S: i64 = 3_600;
    let dir = TempDir::new().unwrap();
    let wall = WallClock::shifted("+0s");
    let mut server = serve_by(&wall, &dir);
    watch(&server);
    for (shift, shift_s, step_ms) in [
        ("+3600s", HOUR_S, 3_600_000_i64),
        ("-7200s", -2 * HOUR_S, -10_800_000),
    ] {
        wall.set(shift);
        let line = server.wait_for_log("the wall clock was set");
        let consequence = "times in answers follow it, leases do not move";
        assert!(line.contains(consequence), "{line}");
        let told_ms = line.rsplit("step_ms=").next().unwrap().trim();
        let told_ms: i64 = told_ms.parse().unwrap();
        // Both clocks are read in whole milliseconds.
        assert!(told_ms.abs_diff(step_ms) <= 5, "{line}");
        let refusal = refused(&server);
        let left = seconds_from_now(&refusal, "next_slot_at") - shift_s;
        assert!((20..=90).contains(&left), "{left} s: {refusal}");
        let session = &refusal["sessions"][0];
        let started = seconds_from_now(session, "started_at") - shift_s;
        assert!((-60..=1).contains(&started), "{started} s: {refusal}");
    }
    assert_eq!(server.call("POST", HEARTBEAT, None).status, 200);
}

#[test]
fn a_server_started_in_the_1970s_shows_the_right_time_once_the_clock_is_set() {
    let dir = TempDir::new().unwrap();
    let wall = WallClock::shifted("-55y");
    let mut server = serve_by(&wall, &dir);
    watch(&server);
    let made = server.call("POST", "/v1/users/other/sessions", None);
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.header("date").contains(" 197"), "{made:?}");
    assert!(made.text.contains("\"started_at\":\"197"), "{made:?}");
    assert_eq!(server.call("GET", SESSIONS, None).status, 200);
    wall.set("+0s");
    server.wait_for_log("the wall clock was set");
    let left = seconds_from_now(&refused(&server), "next_slot_at");
    assert!((20..=90).contains(&left), "{left} s");
}

/// As by the first answer of a wrong time server. No HTTP date can hold that time.
#[test]
fn a_wall_clock_that_is_set_before_1970_breaks_no_call() {
    let dir = TempDir::new().unwrap();
    let wall = WallClock::shifted("+0s");
    let mut server = serve_by(&wall, &dir);
    watch(&server);
    wall.set("-70y");
    server.wait_for_log("the wall clock was set");
    let refusal = refused(&server);
    let shown = &refusal["next_slot_at"];
    assert!(
        shown.as_str().unwrap().starts_with("1970-01-01T"),
        "{refusal}"
    );
    for (method, path, status) in [
        ("POST", HEARTBEAT, 200),
        ("POST", "/v1/users/other/sessions", 201),
        ("GET", SESSIONS, 200),
        ("GET", "/v1/sessions", 200),
        ("GET", "/metrics", 200),
        ("GET", "/readyz", 200),
        ("DELETE", "/v1/users/other", 204),
    ] {
        let answer = server.call(method, path, None);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
    wall.set("+0s");
    server.wait_for_log("the wall clock was set");
    let left = seconds_from_now(&refused(&server), "next_slot_at");
    assert!((20..=90).contains(&left), "{left} s");
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let fault = "a fault of Streamgate";
    assert!(!ended.stderr.contains(fault), "{}", ended.stderr);
}

#[test]
fn a_server_whose_clock_is_before_1970_says_so_and_does_not_start() {
    let dir = TempDir::new().unwrap();
    let wall = WallClock::shifted("-70y");
    let mut command = serve(&dir, &[]);
    wall.show_to(&mut command);
    let ended = command.output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("before 1970-01-01"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}
