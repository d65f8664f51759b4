//! Nodes whose wall clocks differ. `faketime` shifts the wall clock only: time passes as fast as
//! elsewhere.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use streamgate_clock::Stopwatch;
use streamgate_testkit::faketime::{WallClock, library};
use streamgate_testkit::{Client, Redis, Server, eventually, serve_arguments, streamgate};
use tempfile::TempDir;

use crate::nodes::race::{PATIENT, race};
use crate::nodes::{Nodes, redis};

/// The lease of [`SHORT_LEASE`].
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// Leases that a test can wait for, and one slot to wait for.
pub(crate) const SHORT_LEASE: [&str; 4] = [
    "--set",
    "policy.lease_s=5",
    "--set",
    "policy.default_limit=1",
];

/// Clocks tell whole milliseconds, and machines are busy.
const TOLERANCE: Duration = Duration::from_millis(50);

/// A node over Redis reckons the server's time between two answers, never ahead of the server and
/// at most so far behind it; so times of two nodes differ by no more.
const RECKONED_BEHIND_MS: i64 = 500;

/// A session of a user that has one slot, and another that asks for it.
const WATCHING: &str = "/v1/users/u/sessions/watching";
const ANOTHER: &str = "/v1/users/u/sessions/another";

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Two nodes with clocks of their own.
pub(crate) struct Shifted {
    pub(crate) nodes: Nodes,
}

impl Shifted {
    /// Starts this command twice, its wall clock shifted by so many seconds.
    pub(crate) fn start(node: impl Fn(&TempDir) -> Command, by_s: [i64; 2]) -> Self {
        let dir = TempDir::new().unwrap();
        let library = library();
        let start = |by_s: i64| {
            let mut command = node(&dir);
            command
                .env("LD_PRELOAD", &library)
                .env("FAKETIME", format!("{by_s:+}s"))
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            Server::spawn(command)
        };
        let servers: Vec<_> = by_s.map(start).into();
        // A shift that does not happen would prove nothing. Dates are in whole seconds, and time
        // passes between two questions.
        let date = |node: &Server| {
            let answer = node.call("GET", "/healthz", None);
            time_of_day_ms(answer.header("date"))
        };
        let apart_ms = millis_between(date(&servers[0]), date(&servers[1]));
        let least_ms = (by_s[1] - by_s[0] - 2) * 1_000;
        assert!(
            (least_ms..least_ms + 30_000).contains(&apart_ms),
            "{apart_ms} ms"
        );
        Self {
            nodes: Nodes { servers, _dir: dir },
        }
    }

    fn over_redis(port: u16, arguments: &[&str]) -> Self {
        let url = format!("store.url=redis://127.0.0.1:{port}");
        let node = |dir: &TempDir| {
            let all = [
                &serve_arguments(dir.path())[..],
                &["--set", &url],
                arguments,
            ];
            streamgate(&all.concat())
        };
        Self::start(node, [-5, 5])
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        self.nodes.addresses().try_into().unwrap()
    }

    /// When each node says that a session started which starts there now.
    pub(crate) async fn started_at(&self) -> [i64; 2] {
        let mut at = Vec::new();
        for (i, node) in self.addresses().into_iter().enumerate() {
            let mut client = Client::connect(node).await.unwrap();
            let answer = client.start(&format!("started-{i}"), "s").await.unwrap();
            at.push(time_in(&answer.json()["session"], "started_at"));
        }
        at.try_into().unwrap()
    }

    /// On either node a player calls for the last time; on either node others wait for its slot.
    pub(crate) async fn players_vanish(&self, latest: Duration) {
        let [a, b] = self.addresses();
        tokio::join!(
            vanish("aa", a, a, latest),
            vanish("ab", a, b, latest),
            vanish("ba", b, a, latest),
            vanish("bb", b, b, latest),
        );
    }

    /// A player sends each heartbeat to the other node, for longer than any lease lasts: none is
    /// too late, and no other session gets its slot meanwhile.
    pub(crate) async fn a_player_wanders(&self, longest: Duration) {
        let mut nodes = Vec::new();
        for node in self.addresses() {
            nodes.push(Client::connect(node).await.unwrap());
        }
        let (user, id) = ("wanderer", "s");
        assert_eq!(nodes[0].start(user, id).await.unwrap().status, 201);
        let wandering = Stopwatch::start();
        for turn in 1.. {
            tokio::time::sleep(LEASE / 4).await;
            for node in &mut nodes {
                let answer = node.start(user, "other").await.unwrap();
                assert_eq!(answer.status, 409, "turn {turn}: {answer:?}");
            }
            let answer = nodes[turn % 2].heartbeat(user, id).await.unwrap();
            assert_eq!(answer.status, 200, "turn {turn}: {answer:?}");
            if wandering.elapsed() > longest {
                return;
            }
        }
    }
}

impl Drop for Shifted {
    /// Lets the nodes end in order: killed, they would leave the library's shared memory behind.
    fn drop(&mut self) {
        for server in self.nodes.servers.drain(..) {
            server.terminate();
        }
    }
}

/// A player starts and sends a heartbeat, and is never heard of again. Its slot is free no sooner
/// than after a lease, and no later than after `latest`, both counted from that heartbeat.
async fn vanish(user: &str, player: SocketAddr, others: SocketAddr, latest: Duration) {
    let mut player = Client::connect(player).await.unwrap();
    let mut others = Client::connect(others).await.unwrap();
    assert_eq!(player.start(user, "gone").await.unwrap().status, 201);
    let since_sent = Stopwatch::start();
    assert_eq!(player.heartbeat(user, "gone").await.unwrap().status, 200);
    let since_answered = Stopwatch::start();
    loop {
        let asked_after = since_answered.elapsed();
        let answer = others.start(user, "next").await.unwrap();
        match answer.status {
            409 => assert!(asked_after < latest + TOLERANCE, "{user}: {answer:?}"),
            201 => break,
            _ => panic!("{user}: {answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let freed_after = since_sent.elapsed();
    assert!(freed_after > LEASE - TOLERANCE, "{user}: {freed_after:?}");
}

/// The time at the end of a date, or in a timestamp: milliseconds since midnight.
fn time_of_day_ms(text: &str) -> i64 {
    let time = text.split(['T', ' ']).find(|part| part.contains(':'));
    let time = time.unwrap_or_else(|| panic!("no time in {text:?}"));
    let (seconds, millis) = time
        .trim_end_matches('Z')
        .split_once('.')
        .unwrap_or((time, "0"));
    let seconds = seconds.trim_end_matches('Z').split(':');
    let seconds = seconds.fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap());
    seconds * 1_000 + millis.parse::<i64>().unwrap()
}

/// A time of a session.
fn time_in(session: &Value, name: &str) -> i64 {
    let time = session[name].as_str();
    time_of_day_ms(time.unwrap_or_else(|| panic!("{session}")))
}

/// From the one time of day to the other, also over midnight.
pub(crate) fn millis_between(one: i64, other: i64) -> i64 {
    (other - one).rem_euclid(DAY_MS)
}

/// The same, negative where the other is earlier.
fn signed_between(one: i64, other: i64) -> i64 {
    let later = millis_between(one, other);
    if later > DAY_MS / 2 {
        later - DAY_MS
    } else {
        later
    }
}

/// The time since then, and a little.
fn passed_ms(since: Stopwatch) -> i64 {
    let passed = since.elapsed() + TOLERANCE;
    i64::try_from(passed.as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_over_redis_share_time_and_limit_with_clocks_10_s_apart() {
    let redis = redis();
    let shifted = Shifted::over_redis(redis.port, &PATIENT);
    let mut nodes = Vec::new();
    for node in shifted.addresses() {
        nodes.push(Client::connect(node).await.unwrap());
    }
    let before = Stopwatch::start();
    let [one, other] = shifted.started_at().await;
    let apart = -RECKONED_BEHIND_MS..=passed_ms(before) + RECKONED_BEHIND_MS;
    assert!(apart.contains(&signed_between(one, other)));
    let answer = nodes[0].start("u", "s").await.unwrap();
    let first = time_in(&answer.json()["session"], "expires_at");
    let mut last = first;
    for turn in 0..20 {
        let answer = nodes[turn % 2].heartbeat("u", "s").await.unwrap();
        let expires_at = time_in(&answer.json(), "expires_at");
        let later = signed_between(last, expires_at);
        assert!(
            later >= -RECKONED_BEHIND_MS,
            "it goes backwards: {answer:?}"
        );
        last = expires_at;
    }
    assert!(signed_between(first, last) <= passed_ms(before) + RECKONED_BEHIND_MS);
    let mut said = Vec::new();
    for node in &mut nodes {
        let answer = node.send("GET", "/v1/users/u/sessions", None).await;
        said.push(answer.unwrap().json()["sessions"].clone());
    }
    assert_eq!(said[0], said[1]);
    race(&shifted.nodes, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_over_redis_is_free_after_one_lease_with_clocks_10_s_apart() {
    let redis = redis();
    let shifted = Shifted::over_redis(redis.port, &SHORT_LEASE);
    tokio::join!(
        shifted.players_vanish(LEASE),
        shifted.a_player_wanders(LEASE)
    );
}

/// Whether sessions get a lease of grace is for the store to say, by the time of its server.
#[expect(
    clippy::disallowed_methods,
    reason = "a process that stands still reports nothing"
)]
#[test]
fn a_pause_and_a_clock_step_of_a_node_over_redis_are_logged_without_a_false_consequence() {
    let redis = redis();
    let dir = TempDir::new().unwrap();
    let wall = WallClock::shifted("+0s");
    let url = format!("store.url={}", redis.url());
    let arguments = [
        &serve_arguments(dir.path())[..],
        &["--set", &url],
        &SHORT_LEASE,
    ];
    let mut command = streamgate(&arguments.concat());
    wall.show_to(&mut command);
    let mut node = Server::spawn(command);
    assert_eq!(node.call("GET", "/readyz", None).status, 200);
    node.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(3));
    node.signal(Signal::CONT);
    let line = node.wait_for_log("the process stood still");
    assert!(!line.contains("Sessions that held a slot"), "{line}");
    wall.set("+3600s");
    let line = node.wait_for_log("the wall clock was set");
    assert!(line.contains("answers and leases do not move"), "{line}");
    let answer = node.call("PUT", "/v1/users/u/sessions/s", None);
    let started_at = time_in(&answer.json()["session"], "started_at");
    let node_ms = time_of_day_ms(answer.header("date"));
    let behind_ms = millis_between(started_at, node_ms);
    assert!(behind_ms > 3_000_000, "it is the time of Redis: {answer:?}");
}

/// By the new time every lease is over.
#[test]
fn a_leap_of_the_clock_of_redis_ends_no_watching_session() {
    let wall = WallClock::shifted("+0s");
    let redis = Redis::start_by(&wall);
    let mut nodes = Nodes::over(&redis, 1, &SHORT_LEASE);
    let node = &mut nodes.servers[0];
    assert_eq!(node.call("PUT", WATCHING, None).status, 201);
    let time = || redis.ask::<(i64, i64)>(&["TIME"]).0;
    let before_s = time();
    wall.set("+3600s");
    assert!(time() - before_s >= 3_600, "its clock has leapt");
    let another = node.call("PUT", ANOTHER, None);
    assert_eq!(another.status, 409, "{another:?}");
    let heartbeat = format!("{WATCHING}/heartbeat");
    assert_eq!(node.call("POST", &heartbeat, None).status, 200);
    let line = node.wait_for_log("the time of the store's server leapt");
    let late_ms = line.split("late_ms=").nth(1).unwrap();
    let late_ms = late_ms.split(' ').next().unwrap().trim();
    let late_ms: i64 = late_ms.parse().unwrap();
    assert!((3_590_000..3_660_000).contains(&late_ms), "{line}");
    // The grace ends with the lease, and then the slot is free as ever.
    eventually("the slot is free", || {
        node.call("PUT", ANOTHER, None).status == 201
    });
}

/// A silence gives the same grace as a leap.
#[test]
fn a_redis_stall_longer_than_a_lease_ends_no_watching_session() {
    let redis = redis();
    let mut nodes = Nodes::over(&redis, 1, &SHORT_LEASE);
    outlast_a_stall(&redis, &mut nodes.servers[0]);
}

/// By the rule of the leases at the start, this silence would be none.
#[test]
fn a_redis_stall_is_judged_by_the_lease_of_the_last_reload() {
    let redis = redis();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("streamgate.toml");
    std::fs::write(&file, "[policy]\ndefault_limit = 1\n").unwrap();
    let arguments = ["--config", file.to_str().unwrap()];
    let mut nodes = Nodes::over(&redis, 1, &arguments);
    let node = &mut nodes.servers[0];
    let short = format!(
        "[policy]\ndefault_limit = 1\nlease_s = {}\n",
        LEASE.as_secs()
    );
    std::fs::write(&file, short).unwrap();
    node.signal(Signal::HUP);
    node.wait_for_log("SIGHUP: the settings were read again");
    outlast_a_stall(&redis, node);
}

fn outlast_a_stall(redis: &Redis, node: &mut Server) {
    let heartbeat = format!("{WATCHING}/heartbeat");
    assert_eq!(node.call("PUT", WATCHING, None).status, 201);
    redis.freeze();
    let frozen = Stopwatch::start();
    // The lease ends meanwhile, and no heartbeat comes through.
    while frozen.elapsed() < LEASE + Duration::from_secs(4) {
        assert_eq!(node.call("POST", &heartbeat, None).status, 503);
    }
    redis.thaw();
    eventually("redis answers", || {
        node.call("GET", "/readyz", None).status == 200
    });
    let another = node.call("PUT", ANOTHER, None);
    assert_eq!(another.status, 409, "{another:?}");
    assert_eq!(node.call("POST", &heartbeat, None).status, 200);
    node.wait_for_log("the time of the store's server leapt");
}
