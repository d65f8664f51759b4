//! Nodes over a DynamoDB table, in an emulator that the test starts.

mod streams;
mod throttled;

use std::process::{Command, Output};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::faketime::WallClock;
use streamgate_testkit::proxy::tcp::{Disturbance, Proxy};
use streamgate_testkit::random::seed;
use streamgate_testkit::{Process, Server, dynoxide, eventually, serve_arguments, streamgate};
use tempfile::TempDir;

use crate::nodes::clocks::{self, Shifted};
use crate::nodes::race::{PATIENT, race};
use crate::nodes::spoiled::{LIMIT, Storm};
use crate::nodes::{Nodes, backup_is_elsewhere};
use crate::promises::departure;
use crate::promises::storm::storm;

/// Starts the emulator and makes the table `sessions` in it.
pub(crate) fn table() -> Process {
    let emulator = dynoxide();
    let output = create_table(&emulator);
    assert!(output.status.success(), "{output:?}");
    emulator
}

fn create_table(emulator: &Process) -> Output {
    let endpoint = emulator.url();
    let create = ["store", "create-table", "sessions", "--endpoint", &endpoint];
    as_aws(streamgate(&create)).output().unwrap()
}

/// A command that serves the table `sessions` that is behind this port.
fn serve(dir: &TempDir, port: u16, arguments: &[&str]) -> Command {
    serve_table(dir, "sessions", port, arguments)
}

fn serve_table(dir: &TempDir, table: &str, port: u16, arguments: &[&str]) -> Command {
    let url = format!("store.url=dynamodb://{table}");
    let endpoint = format!("store.dynamodb.endpoint=http://127.0.0.1:{port}");
    let all = [
        &serve_arguments(dir.path())[..],
        &["--set", &url, "--set", &endpoint],
        arguments,
    ];
    as_aws(streamgate(&all.concat()))
}

/// So many nodes over the table that is behind this port.
fn nodes(port: u16, count: usize, arguments: &[&str]) -> Nodes {
    let dir = TempDir::new().unwrap();
    let servers = (0..count)
        .map(|_| Server::spawn(serve(&dir, port, arguments)))
        .collect();
    Nodes { servers, _dir: dir }
}

/// A command that finds credentials the AWS way, and no others that this machine may have.
pub(crate) fn as_aws(mut command: Command) -> Command {
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("REGION", "eu-west-1");
    command
}

#[test]
fn a_backup_over_dynamodb_is_refused_and_names_the_means_of_dynamodb() {
    let emulator = table();
    let nodes = nodes(emulator.port, 1, &[]);
    backup_is_elsewhere(&nodes.servers[0], "point-in-time recovery");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_made_and_four_nodes_over_it_hold_the_limit() {
    let emulator = dynoxide();
    for said in ["is made", "is there"] {
        let output = create_table(&emulator);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(said), "{output:?}");
    }
    let nodes = nodes(emulator.port, 4, &PATIENT);
    race(&nodes, 20).await;
    let ready = nodes.servers[0].call("GET", "/readyz", None);
    assert_eq!(ready.status, 200);
}

/// Each call waits for DynamoDB while its client leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_over_dynamodb_is_carried_out_for_a_client_that_has_left() {
    let emulator = table();
    let nodes = nodes(emulator.port, 1, &PATIENT);
    departure::every_call_is_carried_out(&nodes.servers[0], 210).await;
}

#[test]
fn a_table_that_is_not_there_stops_a_node_and_says_what_to_do() {
    let emulator = dynoxide();
    let dir = TempDir::new().unwrap();
    let mut command = serve_table(&dir, "nothing", emulator.port, &[]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nothing"), "{said}");
    assert!(said.contains("create-table"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_over_dynamodb_are_linearizable() {
    let emulator = table();
    let nodes = nodes(emulator.port, 3, &PATIENT);
    storm(&nodes.addresses(), 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stay_true_over_a_disturbed_network_to_dynamodb() {
    let emulator = table();
    let seed = seed();
    let limit = format!("policy.default_limit={LIMIT}");
    let mut proxies = Vec::new();
    let mut servers = Vec::new();
    let mut spoiled = Vec::new();
    let clean = nodes(emulator.port, 1, &["--set", &limit]);
    let dir = TempDir::new().unwrap();
    // Within the second deadline the SDK repeats what got no answer, within the first it cannot.
    for (node, deadline_ms) in [(0, 1_000), (1, 2_500)] {
        // Calls have connections of their own: where one breaks, it breaks for its call only.
        let proxy = Proxy::before(emulator.port, seed ^ (node << 32), 3).await;
        let deadline = format!("engine.deadline_ms={deadline_ms}");
        let arguments = ["--set", &limit, "--set", &deadline];
        let server = Server::spawn(serve(&dir, proxy.port, &arguments));
        spoiled.push((server.address, Duration::from_millis(deadline_ms)));
        servers.push(server);
        proxies.push(proxy);
    }
    let storm = Storm {
        spoiled,
        proxies,
        clean: clean.servers[0].address,
        seed,
        spell: Duration::from_millis(400),
        spells: Disturbance::COUNT,
    };
    storm.rage(24).await;
}

/// A node whose clock is right and one that is five seconds ahead, as far as they may be apart.
fn nodes_five_seconds_apart(emulator: &Process, arguments: &[&str]) -> Shifted {
    let node = |dir: &TempDir| serve(dir, emulator.port, arguments);
    Shifted::start(node, [0, 5])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_over_dynamodb_holds_with_node_clocks_5_s_apart() {
    let emulator = table();
    let shifted = nodes_five_seconds_apart(&emulator, &PATIENT);
    let [right, ahead] = shifted.started_at().await;
    assert!((4_900..35_000).contains(&clocks::millis_between(right, ahead)));
    race(&shifted.nodes, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_over_dynamodb_end_on_time_with_node_clocks_5_s_apart() {
    let emulator = table();
    let shifted = nodes_five_seconds_apart(&emulator, &clocks::SHORT_LEASE);
    // Leases are 5 s longer for the sake of clocks that are ahead; and what such a clock granted
    // ends 5 s later by one that is not.
    let latest = clocks::LEASE + Duration::from_secs(5 + 5);
    tokio::join!(
        shifted.players_vanish(latest),
        shifted.a_player_wanders(latest),
    );
}

/// How far a node says that its clock is ahead of the table's.
fn clock_skew_s(node: &Server) -> f64 {
    let page = node.call("GET", "/metrics", None).text;
    let value = page
        .lines()
        .find_map(|line| line.strip_prefix("streamgate_store_clock_skew_seconds "));
    value.expect("the gauge is there").parse().unwrap()
}

/// The clock of one node is ten minutes behind, as after a machine that stood still: it refuses,
/// and takes no slot and no lease from the sessions of the other, until its clock is right.
#[test]
fn a_node_10_minutes_behind_dynamodb_refuses_until_its_clock_is_right() {
    let emulator = table();
    let right = nodes(emulator.port, 1, &PATIENT);
    let right = &right.servers[0];
    let (dir, wall) = (TempDir::new().unwrap(), WallClock::shifted("-600s"));
    let mut command = serve(&dir, emulator.port, &PATIENT);
    wall.show_to(&mut command);
    let mut wrong = Server::spawn(command);
    let session = |id: &str| format!("/v1/users/u/sessions/{id}");
    let refused = wrong.call("PUT", &session("early"), None);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.json()["code"], "store_unavailable");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("behind by more than a minute"), "{detail}");
    assert_eq!(wrong.call("GET", "/readyz", None).status, 503);
    wrong.wait_for_log("the clock of this node is wrong");
    let skew_s = clock_skew_s(&wrong);
    assert!((-602.0..-570.0).contains(&skew_s), "{skew_s}");
    for id in ["a", "b", "c"] {
        assert_eq!(right.call("PUT", &session(id), None).status, 201);
    }
    assert_eq!(wrong.call("PUT", &session("d"), None).status, 503);
    wall.set("+0s");
    eventually("the clock is right", || {
        wrong.call("GET", "/readyz", None).status == 200
    });
    assert_eq!(wrong.call("PUT", &session("d"), None).status, 409);
    let skew_s = clock_skew_s(&wrong);
    assert!(skew_s.abs() < 5.0, "{skew_s}");
    for id in ["a", "b", "c"] {
        let heartbeat = format!("{}/heartbeat", session(id));
        assert_eq!(right.call("POST", &heartbeat, None).status, 200);
        assert_eq!(wrong.call("POST", &heartbeat, None).status, 200);
    }
    // And wrong again while it runs.
    wall.set("-600s");
    let heartbeat = format!("{}/heartbeat", session("a"));
    assert_eq!(wrong.call("POST", &heartbeat, None).status, 503);
    assert_eq!(right.call("POST", &heartbeat, None).status, 200);
}

/// The wall clock of a node is set while it serves users whom it alone serves, so it knows their
/// records and would write without a load. The first call of each after the step is refused, and
/// changes nothing for the other node.
#[test]
fn a_clock_step_of_a_node_over_dynamodb_frees_no_slot_of_its_own_users() {
    let emulator = table();
    let right = nodes(emulator.port, 1, &PATIENT);
    let right = &right.servers[0];
    let (dir, wall) = (TempDir::new().unwrap(), WallClock::shifted("+0s"));
    let mut command = serve(&dir, emulator.port, &PATIENT);
    wall.show_to(&mut command);
    let wrong = Server::spawn(command);
    let session = |user: &str, id: &str| format!("/v1/users/{user}/sessions/{id}");
    for (user, step) in [("behind", "-600s"), ("ahead", "+600s")] {
        eventually("the clock is right", || {
            wrong.call("GET", "/readyz", None).status == 200
        });
        for id in ["a", "b", "c"] {
            assert_eq!(wrong.call("PUT", &session(user, id), None).status, 201);
        }
        wall.set(step);
        let heartbeat = |id: &str| format!("{}/heartbeat", session(user, id));
        let refused = wrong.call("POST", &heartbeat("a"), None);
        assert_eq!(refused.status, 503, "{user}: {refused:?}");
        let start = right.call("PUT", &session(user, "d"), None);
        assert_eq!(start.status, 409, "{user}: {start:?}");
        wall.set("+0s");
        for id in ["a", "b", "c"] {
            assert_eq!(right.call("POST", &heartbeat(id), None).status, 200);
        }
    }
}

/// Each refusal measures another skew, and all have one cause.
#[test]
fn refusals_for_a_wrong_clock_are_summed_up_in_the_log() {
    let emulator = table();
    let (dir, wall) = (TempDir::new().unwrap(), WallClock::shifted("-600s"));
    let mut command = serve(&dir, emulator.port, &PATIENT);
    wall.show_to(&mut command);
    let wrong = Server::spawn(command);
    let calling = Stopwatch::start();
    for i in 0..100 {
        let path = format!("/v1/users/u{i}/sessions/s");
        assert_eq!(wrong.call("PUT", &path, None).status, 503);
    }
    let log = wrong.terminate().stderr;
    let lines = log
        .lines()
        .filter(|line| line.contains("clock of this node is wrong"));
    // The change, its first refusal, and a sum each second; the same of the checks at the start.
    let most = 8 + 2 * usize::try_from(calling.elapsed().as_secs()).unwrap();
    let count = lines.count();
    assert!((2..=most).contains(&count), "{count} lines: {log}");
    assert!(log.contains("the same line was logged repeatedly"), "{log}");
}
