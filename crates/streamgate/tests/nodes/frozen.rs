//! A store that stands still: callers hear of it at their deadline, and service comes back by itself.

use std::time::Duration;

use streamgate_store::clock::Stopwatch;

use crate::{Nodes, pause, redis};

/// How long it stands still.
const FROZEN: Duration = Duration::from_secs(10);

/// A call ends at its deadline of 1 s, and a loaded machine may take as long to say so.
const PATIENCE: Duration = Duration::from_secs(3);

#[test]
fn a_store_that_stands_still_for_ten_seconds_is_a_503_at_the_deadline_and_then_serves_again() {
    let redis = redis();
    let arguments = [
        "--set",
        "engine.deadline_ms=1000",
        "--set",
        "store.response_timeout_ms=400",
    ];
    let arguments = [&arguments[..], &["--set", "store.wait_timeout_ms=300"]].concat();
    let nodes = Nodes::over(&redis, 1, &arguments);
    let node = &nodes.servers[0];
    assert_eq!(node.call("PUT", "/v1/users/u/sessions/s", None).status, 201);

    redis.freeze();
    let frozen = Stopwatch::start();
    let mut answers = 0;
    while frozen.elapsed() < FROZEN {
        let call = Stopwatch::start();
        let path = format!("/v1/users/u{answers}/sessions/s");
        let answer = node.call("PUT", &path, None);
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.header("retry-after"), "1");
        assert!(call.elapsed() < PATIENCE, "{:?}", call.elapsed());
        answers += 1;
    }
    assert!(answers >= 3, "{answers}");
    assert_eq!(node.call("GET", "/readyz", None).status, 503);
    assert_eq!(node.call("GET", "/healthz", None).status, 200);
    redis.thaw();

    let thawed = Stopwatch::start();
    while node.call("PUT", "/v1/users/u/sessions/s", None).status != 200 {
        assert!(thawed.elapsed() < PATIENCE * 5, "it does not come back");
        pause();
    }
    // What was in doubt is safe to repeat.
    for user in 0..answers {
        let path = format!("/v1/users/u{user}/sessions/s");
        let answer = node.call("PUT", &path, None);
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        assert_eq!(answer.json()["active"], 1);
    }
}
