//! Promise 7 by brute force: schemathesis tries everything the OpenAPI document allows and forbids.

use std::process::Command;

use tempfile::TempDir;

use crate::support::Server;

/// What a schema cannot say, with the reasons.
const CONFIG: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../streamgate-server/schemathesis.toml"
);

#[test]
fn schemathesis_finds_no_failure() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let reports = TempDir::new().unwrap();
    let output = Command::new("schemathesis")
        .current_dir(reports.path())
        .args(["--config-file", CONFIG, "run"])
        .arg(format!("http://{}/openapi.json", server.address))
        .args([
            "--checks",
            "all",
            "--max-examples",
            "60",
            "--seed",
            "1",
            "--workers",
            "2",
        ])
        .args(["--no-color", "--wait-for-schema", "10"])
        .output()
        .expect("schemathesis is installed by ./test, from tools/requirements.txt");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains("Tested:") || said.contains("operations"),
        "it tested nothing: {said}"
    );
    assert!(
        server.terminate().status.success(),
        "the server is still there, and ends in order"
    );
}
