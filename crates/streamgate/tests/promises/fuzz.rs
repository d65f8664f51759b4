//! Promise 7 by brute force: schemathesis tries what the OpenAPI documents allow and forbid.

use std::process::Command;

use streamgate_testkit::Server;
use tempfile::TempDir;

/// What a schema cannot say, with the reasons.
const CONFIG: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../streamgate-server/schemathesis.toml"
);

/// What must hold of a dialect. What a schema forbids may be taken there, and the other way round:
/// the earlier systems did so, and a schema cannot say "as they did".
const OF_DIALECTS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// The same for the one whose texts are sent as JSON, as they always were.
const OF_TEXT_AS_JSON: &str = "not_a_server_error,status_code_conformance,content_type_conformance";

#[test]
fn schemathesis_finds_no_failure() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    run(&server, "/openapi.json", "all", "60");
    assert!(
        server.terminate().status.success(),
        "the server is still there, and ends in order"
    );
}

#[test]
fn schemathesis_finds_no_failure_in_a_dialect() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    for (dialect, checks) in [
        ("session-tracker", OF_DIALECTS),
        ("concurrency-service", OF_TEXT_AS_JSON),
        ("stream-log", OF_DIALECTS),
        ("user-streams", OF_DIALECTS),
        ("stream-requests", OF_DIALECTS),
    ] {
        let document = format!("/compat/{dialect}/openapi.json");
        run(&server, &document, checks, "25");
    }
    assert!(
        server.terminate().status.success(),
        "the server is still there, and ends in order"
    );
}

/// Tries what a document describes; `examples` of each operation at most. It passes with other
/// seeds and 250 examples too, which takes minutes: `--max-examples 250 --seed 7`.
fn run(server: &Server, document: &str, checks: &str, examples: &str) {
    let reports = TempDir::new().unwrap();
    let output = Command::new("schemathesis")
        .current_dir(reports.path())
        .args(["--config-file", CONFIG, "run"])
        .arg(format!("http://{}{document}", server.address))
        .args(["--checks", checks, "--max-examples", examples])
        // One worker: a second one may start a session of the user that the first has just deleted,
        // and look for.
        .args(["--seed", "7", "--workers", "1"])
        // An event stream does not end, so its body cannot be read whole; its own tests read it.
        .args(["--exclude-path-regex", "/events$"])
        .args(["--no-color", "--wait-for-schema", "10"])
        .output()
        .expect("schemathesis is installed by ./test, from tools/requirements.txt");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{document}: {said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains("Tested:") || said.contains("operations"),
        "it tested nothing: {said}"
    );
}
