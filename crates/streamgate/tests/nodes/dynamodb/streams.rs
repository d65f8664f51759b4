//! Event streams over a table. It tells nobody what other nodes do, so each stream reads its record
//! at every heartbeat interval.

use std::time::Duration;

use streamgate_clock::Stopwatch;

use super::{nodes, table};
use crate::nodes::notices::lag::Lag;
use crate::nodes::notices::listener::Listener;

/// One second between two looks.
const OFTEN: [&str; 2] = ["--set", "policy.heartbeat_interval_s=1"];

/// How soon an ending is found: at the next look, which takes a moment.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_on_another_node_is_found_at_the_next_look() {
    let emulator = table();
    let nodes = nodes(emulator.port, 2, &OFTEN);
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    let watch = Stopwatch::start();
    let lag = Lag::of(&nodes.addresses(), watch);
    let path = "/v1/users/u/sessions/s";
    assert_eq!(a.call("PUT", path, None).status, 201);
    let of_session = format!("{path}/events");
    let mut listeners = [
        Listener::open(b.address, &of_session, watch).await,
        Listener::open(b.address, &format!("{of_session}?hold=true"), watch).await,
        Listener::open(b.address, "/v1/users/u/events", watch).await,
    ];
    let mut of_tenant = Listener::open(b.address, "/v1/events", watch).await;
    assert_eq!(of_tenant.first.data["scope"], "node");
    assert_eq!(a.call("DELETE", path, None).status, 204);
    let answered = watch.elapsed();
    for listener in &mut listeners {
        let ended = listener.wait_for("ended").await;
        assert_eq!(ended.data["reason"], "stopped", "{ended:?}");
        let late = lag.between(answered, ended.at);
        let took = ended.at.saturating_sub(answered);
        assert!(took < FOUND_WITHIN + late, "{took:?}, {late:?}: {ended:?}");
    }
    // What its own node does, a stream is told at once; the tenant's is told nothing else.
    assert_eq!(b.call("PUT", "/v1/users/u/sessions/t", None).status, 201);
    assert_eq!(b.call("DELETE", "/v1/users/u/sessions/t", None).status, 204);
    for listener in [&mut listeners[2], &mut of_tenant] {
        let started = listener.next().await;
        assert_eq!(started.name, "started", "{started:?}");
        assert_eq!(started.data["session"]["session_id"], "t", "{started:?}");
        let ended = listener.next().await;
        assert_eq!(ended.data["session"], started.data["session"], "{ended:?}");
    }
}
