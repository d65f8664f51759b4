//! Event streams over several nodes: what one node does, a listener of another one hears, whatever
//! becomes of nodes, connections and servers in between.

mod faults;
pub(super) mod lag;
pub(super) mod listener;

use std::time::Duration;

use serde_json::{Value, json};
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Cluster, Flavour, Redis, Sentinel, Server, eventually, pause};

use self::lag::Lag;
use self::listener::{Event, Listener};
use crate::nodes::{Nodes, redis};

/// How soon a listener of another node hears of an ending, from the answer to the call that ended
/// it. On a machine that runs other tests each turn of a processor comes later ([`Lag`]).
const HEARD_WITHIN: Duration = Duration::from_secs(2);

/// Asserts that an ending, of which a caller knew `since`, was heard within [`HEARD_WITHIN`].
#[track_caller]
fn assert_in_time(ended: &Event, since: Duration, lag: &Lag) {
    let late = lag.between(since, ended.at);
    let took = ended.at.saturating_sub(since);
    assert!(
        took < HEARD_WITHIN + late,
        "it took {took:?} where the machine was {late:?} late: {ended:?}"
    );
}

/// What ends session `s` of a user, and the reason that is told.
struct Case {
    user: &'static str,
    reason: &'static str,
    end: fn(&Server, &str),
}

const CASES: [Case; 4] = [
    Case {
        user: "stopped",
        reason: "stopped",
        end: |node, user| {
            let path = format!("/v1/users/{user}/sessions/s");
            assert_eq!(node.call("DELETE", &path, None).status, 204);
        },
    },
    Case {
        user: "terminated",
        reason: "terminated",
        end: |node, user| start_in_place(node, user, &json!({ "terminate": ["s"] })),
    },
    Case {
        user: "evicted",
        reason: "evicted",
        end: |node, user| start_in_place(node, user, &json!({})),
    },
    Case {
        user: "revoked",
        reason: "revoked",
        end: |node, user| {
            let path = format!("/v1/users/{user}");
            assert_eq!(node.call("DELETE", &path, None).status, 204);
        },
    },
];

/// Starts another session where the limit is reached.
fn start_in_place(node: &Server, user: &str, body: &Value) {
    let path = format!("/v1/users/{user}/sessions/other");
    let started = node.call("PUT", &path, Some(body));
    assert_eq!(started.status, 201, "{started:?}");
}

/// One slot a user, and the oldest makes room at once.
const EVICTING: [&str; 6] = [
    "--set",
    "policy.default_limit=1",
    "--set",
    "policy.at_limit=evict_oldest",
    "--set",
    "policy.evict_min_age_s=0",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_is_heard_on_the_other_node_with_its_reason_over_one_server() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let server = Redis::start(flavour, &[]);
        every_ending_is_heard(&server.url()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_is_heard_on_the_other_node_with_its_reason_over_sentinels() {
    let servers = Sentinel::start(1);
    every_ending_is_heard(&servers.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_is_heard_on_the_other_node_with_its_reason_over_clusters() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let cluster = Cluster::start(flavour);
        every_ending_is_heard(&cluster.url()).await;
    }
}

/// The session's own listeners, on both nodes, and the user's.
async fn every_ending_is_heard(url: &str) {
    let nodes = Nodes::over_url(url, 2, &EVICTING);
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    let watch = Stopwatch::start();
    let lag = Lag::of(&nodes.addresses(), watch);
    for Case { user, reason, end } in CASES {
        let path = format!("/v1/users/{user}/sessions/s");
        let facts = json!({ "content_id": "film" });
        assert_eq!(a.call("PUT", &path, Some(&facts)).status, 201);
        let of_session = format!("{path}/events");
        let of_user = format!("/v1/users/{user}/events");
        let mut listeners = [
            Listener::open(b.address, &of_session, watch).await,
            Listener::open(b.address, &of_user, watch).await,
            Listener::open(a.address, &of_session, watch).await,
            Listener::open(a.address, &of_user, watch).await,
        ];
        until_subscribed(a, b, user);
        end(a, user);
        let answered = watch.elapsed();
        for listener in &mut listeners {
            let ended = listener.wait_for("ended").await;
            assert_in_time(&ended, answered, &lag);
            assert_eq!(ended.data["reason"], reason, "{ended:?}");
            // The session itself is told to those who did not ask for it by its name.
            if listener.first.name == "sessions" {
                let session = &ended.data["session"];
                assert_eq!(session["content_id"], "film", "{ended:?}");
            }
        }
    }
    // Of each user the change that proved the subscription, and the ending.
    let notices = 2 * CASES.len() as u64;
    eventually("each ending came by a notice", || received(b) >= notices);
}

/// Changes a user at one node until the other one hears of it. Notices of before its subscription
/// are lost to it: its listeners learn that from the record.
fn until_subscribed(changes: &Server, hears: &Server, user: &str) {
    let (before, mut tries) = (received(hears), 0);
    eventually("the other node is subscribed", || {
        tries += 1;
        let profile = json!({ "profile": { "try": tries.to_string() } });
        let path = format!("/v1/users/{user}");
        assert_eq!(changes.call("PUT", &path, Some(&profile)).status, 200);
        pause();
        received(hears) > before
    });
}

/// How many notices a node has received.
fn received(node: &Server) -> u64 {
    node.metric("streamgate_notices_received_total")
}

/// A lease that runs out is told by the node that has the listener, though the other one started
/// the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expiry_is_heard_on_the_other_node() {
    let redis = redis();
    let nodes = Nodes::over(
        &redis,
        2,
        &[
            "--set",
            "policy.lease_s=5",
            "--set",
            "policy.heartbeat_interval_s=1",
        ],
    );
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    let watch = Stopwatch::start();
    let lag = Lag::of(&nodes.addresses(), watch);
    let path = "/v1/users/u/sessions/s";
    assert_eq!(a.call("PUT", path, None).status, 201);
    let over_by = watch.elapsed() + Duration::from_secs(5);
    let mut listener = Listener::open(b.address, &format!("{path}/events"), watch).await;
    let ended = listener.wait_for("ended").await;
    assert!(ended.data.to_string().contains("\"expired\""), "{ended:?}");
    assert_in_time(&ended, over_by, &lag);
}

/// A renewal on one node moves the deadline that the other one watches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_another_node_renews_is_not_told_to_have_expired() {
    let redis = redis();
    let nodes = Nodes::over(
        &redis,
        2,
        &[
            "--set",
            "policy.lease_s=5",
            "--set",
            "policy.heartbeat_interval_s=1",
        ],
    );
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    let watch = Stopwatch::start();
    let path = "/v1/users/u/sessions/s";
    assert_eq!(a.call("PUT", path, None).status, 201);
    let mut listener = Listener::open(b.address, &format!("{path}/events"), watch).await;
    let heartbeat = format!("{path}/heartbeat");
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(a.call("POST", &heartbeat, None).status, 200);
    }
    let told: Vec<_> = listener.arrived();
    assert!(told.iter().all(|event| event.name != "ended"), "{told:?}");
    assert_eq!(a.call("DELETE", path, None).status, 204);
    let ended = listener.wait_for("ended").await;
    assert!(ended.data.to_string().contains("\"stopped\""), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_and_changes_of_a_tenant_are_heard_on_the_other_node_once() {
    let redis = redis();
    let nodes = Nodes::over(&redis, 2, &["--set", "policy.default_limit=1"]);
    let [a, b] = &nodes.servers[..] else {
        panic!("two nodes");
    };
    let watch = Stopwatch::start();
    let mut of_user = Listener::open(b.address, "/v1/users/u/events", watch).await;
    let mut of_tenant = Listener::open(b.address, "/v1/events", watch).await;
    // What is best effort begins once the nodes know of each other's listeners.
    let mut tries = 0;
    loop {
        tries += 1;
        let path = format!("/v1/users/warm{tries}/sessions/s");
        assert_eq!(a.call("PUT", &path, None).status, 201);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let names: Vec<String> = of_tenant.arrived().into_iter().map(|it| it.name).collect();
        if names.iter().any(|name| name == "started") {
            break;
        }
        assert!(tries < 100, "nothing is heard");
    }
    assert_eq!(a.call("PUT", "/v1/users/u/sessions/s", None).status, 201);
    assert_eq!(a.call("PUT", "/v1/users/u/sessions/t", None).status, 409);
    assert_eq!(b.call("PUT", "/v1/users/u/sessions/t", None).status, 409);
    assert_eq!(b.call("DELETE", "/v1/users/u/sessions/s", None).status, 204);
    // In any order: a node tells others of a refusal off the path of calls.
    for listener in [&mut of_user, &mut of_tenant] {
        let mut names = Vec::new();
        while names.len() < 4 {
            names.push(listener.next().await.name);
            names.retain(|name| name != "sessions" && name != "stream");
        }
        names.sort();
        assert_eq!(names, ["ended", "refused", "refused", "started"]);
    }
    assert_eq!(b.call("PUT", "/v1/users/u/sessions/v", None).status, 201);
    for listener in [&mut of_user, &mut of_tenant] {
        assert_eq!(listener.next().await.name, "started");
    }
}
