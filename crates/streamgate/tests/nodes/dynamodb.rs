//! Nodes over a DynamoDB table; `./test` builds with it. The table is in an emulator that the test
//! starts.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::Nodes;
use crate::process::Process;
use crate::race::{PATIENT, race};
use crate::support::{Server, in_repository, serve_arguments, streamgate};

/// Starts the emulator.
fn emulator() -> Process {
    Process::start(emulator_on)
}

/// The emulator, on this port.
pub(crate) fn emulator_on(port: u16) -> Command {
    let installed = in_repository(".tools/node_modules/@dynoxide/linux-x64/dynoxide");
    let binary = std::env::var_os("STREAMGATE_TEST_DYNOXIDE").map_or(installed, PathBuf::from);
    let mut command = Command::new(&binary);
    command.args(["serve", "--port", &port.to_string()]);
    command
}

fn endpoint_of(emulator: &Process) -> String {
    format!("http://127.0.0.1:{}", emulator.port)
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_made_and_four_nodes_over_it_hold_the_limit() {
    let emulator = emulator();
    let endpoint = endpoint_of(&emulator);
    for said in ["is made", "is there"] {
        let create = ["store", "create-table", "sessions", "--endpoint", &endpoint];
        let output = as_aws(streamgate(&create)).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(said), "{output:?}");
    }
    let dir = TempDir::new().unwrap();
    let endpoint = format!("store.endpoint={endpoint}");
    let arguments = [
        &serve_arguments(dir.path())[..],
        &["--set", "store.url=dynamodb://sessions", "--set", &endpoint],
        &PATIENT,
    ]
    .concat();
    let servers = (0..4)
        .map(|_| Server::spawn(as_aws(streamgate(&arguments))))
        .collect();
    let nodes = Nodes { servers, _dir: dir };
    race(&nodes, 20).await;
    let ready = nodes.servers[0].call("GET", "/readyz", None);
    assert_eq!(ready.status, 200);
}

#[test]
fn a_table_that_is_not_there_stops_a_node_and_says_what_to_do() {
    let emulator = emulator();
    let dir = TempDir::new().unwrap();
    let endpoint = format!("store.endpoint={}", endpoint_of(&emulator));
    let arguments = [
        &serve_arguments(dir.path())[..],
        &["--set", "store.url=dynamodb://nothing", "--set", &endpoint],
    ]
    .concat();
    let output = as_aws(streamgate(&arguments)).output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nothing"), "{said}");
    assert!(said.contains("create-table"), "{said}");
}
