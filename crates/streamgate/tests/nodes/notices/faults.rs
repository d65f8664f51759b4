//! Faults while streams are open: a node is killed, Redis stands still, a primary dies under a
//! thousand listeners.

use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::{Client, Sentinel, Server, pause};

use super::assert_in_time;
use super::lag::Lag;
use super::listener::Listener;
use crate::nodes::{Nodes, redis};

/// How many streams are open when the primary dies.
const LISTENERS: usize = 1_000;

/// How long a failover may take here, and what follows it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node that is killed right after its answer, or instead of it, has told all that it has done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_act_of_a_killed_node_is_heard() {
    let redis = redis();
    for round in 0..5 {
        let mut nodes = Nodes::over(&redis, 2, &[]);
        let (killed, watch) = (nodes.servers.remove(0), Stopwatch::start());
        let path = format!("/v1/users/u/sessions/s{round}");
        assert_eq!(killed.call("PUT", &path, None).status, 201);
        let listening = nodes.servers[0].address;
        let lag = Lag::of(&[listening], watch);
        let mut listener = Listener::open(listening, &format!("{path}/events"), watch).await;
        assert_eq!(killed.call("DELETE", &path, None).status, 204);
        let answered = watch.elapsed();
        killed.kill();
        let ended = listener.wait_for("ended").await;
        assert_in_time(&ended, answered, &lag);
        assert!(ended.data.to_string().contains("\"stopped\""), "{ended:?}");
    }
}

/// While Redis stands still nothing is told; once it goes on, what happens is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_once_a_frozen_redis_goes_on_is_heard() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 2, &[]);
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    let (watch, path) = (Stopwatch::start(), "/v1/users/u/sessions/s");
    assert_eq!(a.call("PUT", path, None).status, 201);
    let mut listener = Listener::open(b.address, &format!("{path}/events"), watch).await;
    redis.freeze();
    let is_down = || b.metric::<u64>("streamgate_notices_connections{state=\"down\"}") == 1;
    while !is_down() {
        assert!(watch.elapsed() < PATIENCE, "it is not noticed");
        pause();
    }
    assert!(listener.arrived().is_empty(), "nothing has happened");
    redis.thaw();
    let thawed = watch.elapsed();
    let lag = Lag::of(&nodes.addresses(), watch);
    while a.call("DELETE", path, None).status != 204 {
        assert!(watch.elapsed() < thawed + PATIENCE, "it does not come back");
        pause();
    }
    let stopped = watch.elapsed();
    let ended = listener.wait_for("ended").await;
    assert_in_time(&ended, stopped, &lag);
    assert!(ended.data.to_string().contains("\"stopped\""), "{ended:?}");
}

/// A thousand sessions, each with a listener on the node that does not end it. The primary dies
/// while they are ended one after the other.
#[expect(
    clippy::print_stdout,
    reason = "figures, for those who look at a test's output"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_listener_misses_its_ending_when_a_primary_dies() {
    let mut servers = Sentinel::start(1);
    let nodes = Nodes::over_url(&servers.url(), 2, &[]);
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    let watch = Stopwatch::start();
    let mut listeners = Vec::new();
    let mut client = Client::connect(a.address).await.unwrap();
    for number in 0..LISTENERS {
        let user = format!("u{number}");
        assert_eq!(client.start(&user, "s").await.unwrap().status, 201);
        let path = format!("/v1/users/{user}/sessions/s/events");
        listeners.push(Listener::open(b.address, &path, watch).await);
    }
    let mut stopped = Vec::new();
    for number in 0..LISTENERS {
        if number == LISTENERS / 2 {
            servers.servers[0].kill();
        }
        stopped.push(stop(a, &format!("u{number}"), watch).await);
    }
    // What the failover has lost was stopped in vain: it is stopped once more.
    for number in 0..LISTENERS {
        stop(a, &format!("u{number}"), watch).await;
    }
    let all_stopped = watch.elapsed();
    let lag = Lag::of(&nodes.addresses(), watch);
    let mut slowest = Duration::ZERO;
    for (listener, stopped) in listeners.iter_mut().zip(stopped) {
        let ended = listener.wait_for("ended").await;
        assert!(ended.data.to_string().contains("\"stopped\""), "{ended:?}");
        assert_in_time(&ended, all_stopped, &lag);
        slowest = slowest.max(ended.at.saturating_sub(stopped));
    }
    println!(
        "{LISTENERS} listeners, none missed its ending; the last to hear heard {} ms after its stop",
        slowest.as_millis()
    );
}

/// Stops the session of a user, as often as it takes; when it was stopped.
async fn stop(node: &Server, user: &str, watch: Stopwatch) -> Duration {
    let begun = watch.elapsed();
    loop {
        let mut client = Client::connect(node.address).await.unwrap();
        if let Ok(answer) = client.stop(user, "s").await
            && answer.status == 204
        {
            return watch.elapsed();
        }
        assert!(watch.elapsed() < begun + PATIENCE, "it is not stopped");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
