//! Settings of the policy on the real binary: sessions above a lowered limit, and how young a
//! session may be when it gives its slot to a start.

use serde_json::Value;
use streamgate_testkit::{Client, Server};
use tempfile::TempDir;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The milliseconds since midnight of a time such as `2026-11-21T06:30:00.000Z`.
fn ms_of_day(time: &Value) -> u64 {
    let clock = &time.as_str().expect("a time")[11..23];
    let parts = clock
        .split([':', '.'])
        .map(|part| part.parse::<u64>().unwrap());
    let [hours, minutes, seconds, ms] = parts.collect::<Vec<_>>()[..] else {
        panic!("{time} has another form");
    };
    ((hours * 60 + minutes) * 60 + seconds) * 1_000 + ms
}

/// How long after `earlier` the other is; less than a day.
fn ms_between(earlier: &Value, later: &Value) -> u64 {
    (ms_of_day(later) + DAY_MS - ms_of_day(earlier)) % DAY_MS
}

#[tokio::test]
async fn end_newest_ends_the_newest_session_above_a_lowered_limit_at_its_heartbeat() {
    let dir = TempDir::new().unwrap();
    let server = Server::start_with(dir.path(), &["--set", "policy.over_limit=end_newest"]);
    let mut client = Client::connect(server.address).await.unwrap();
    for session in ["old", "new"] {
        let started = client.start("u", session).await.unwrap();
        assert_eq!(started.status, 201, "{started:?}");
    }
    client.set_limit("u", 1).await.unwrap();
    let ended = client.heartbeat("u", "new").await.unwrap();
    assert_eq!(
        (ended.status, ended.code().as_str()),
        (410, "session_ended")
    );
    assert_eq!(ended.json()["reason"], "evicted");
    let renewed = client.heartbeat("u", "old").await.unwrap();
    assert_eq!(renewed.status, 200, "{renewed:?}");
    // A start in a dialect is admitted or refused as ever, and ends nothing.
    for (user, is_allowed) in [("v", true), ("u", false)] {
        let path = format!("/compat/user-streams/user-streams/{user}/third");
        let answer = server.call("GET", &path, None);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["allow"], is_allowed, "{answer:?}");
    }
    assert_eq!(client.live("u").await.unwrap(), ["old"]);
}

/// The default of 5 s, and another value.
#[tokio::test]
async fn evict_oldest_ends_no_session_younger_than_evict_min_age() {
    for (settings, min_age_ms) in [
        (&["--set", "policy.at_limit=evict_oldest"][..], 5_000),
        (
            &[
                "--set",
                "policy.at_limit=evict_oldest",
                "--set",
                "policy.evict_min_age_s=60",
            ],
            60_000,
        ),
    ] {
        let dir = TempDir::new().unwrap();
        let server = Server::start_with(dir.path(), settings);
        let mut client = Client::connect(server.address).await.unwrap();
        client.set_limit("u", 1).await.unwrap();
        let old = client.start("u", "old").await.unwrap().json();
        let old_since = &old["session"]["started_at"];
        let new = client.start("u", "new").await.unwrap();
        if new.status == 201 {
            // A busy machine delayed it.
            let after_ms = ms_between(old_since, &new.json()["session"]["started_at"]);
            assert!(after_ms >= min_age_ms, "{new:?} follows {old}");
            continue;
        }
        assert_eq!(new.status, 409, "{new:?}");
        let after_ms = ms_between(old_since, &new.json()["next_slot_at"]);
        assert_eq!(after_ms, min_age_ms, "{new:?} follows {old}");
    }
}
