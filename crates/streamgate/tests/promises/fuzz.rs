//! Promise 7 by brute force: schemathesis tries what the OpenAPI documents allow and forbid.

use std::fs;
use std::process::Command;

use serde_json::Value;
use streamgate_server::{DialectName, OpenApiVersion, openapi_json};
use streamgate_testkit::{Server, repository};
use tempfile::TempDir;

/// What a schema cannot say, with the reasons.
const CONFIG: &str = "schemathesis.toml";

/// The same for text of which each character is a byte.
const CONFIG_OF_ASCII: &str = "schemathesis-ascii.toml";

/// What must hold of a dialect for any input. What a schema forbids may be taken there: the earlier
/// systems did so, and a schema cannot say "as they did".
const OF_DIALECTS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// The same for the one whose texts are sent as JSON, as they always were.
const OF_TEXT_AS_JSON: &str = "not_a_server_error,status_code_conformance,content_type_conformance";

#[test]
fn schemathesis_finds_no_failure() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    run(&server, CONFIG, "/openapi.json", &["--checks", "all"], "60");
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
        run(&server, CONFIG, &document, &["--checks", checks], "25");
    }
    assert!(
        server.terminate().status.success(),
        "the server is still there, and ends in order"
    );
}

/// A seed that makes such an id up is rare, and would fail the run above.
#[test]
fn every_operation_about_a_user_may_refuse_an_id_that_is_too_long_in_bytes() {
    let config = fs::read_to_string(repository("crates/streamgate-server").join(CONFIG)).unwrap();
    let config: toml::Table = config.parse().unwrap();
    let may_refuse = |id: &str| {
        config["operations"]
            .as_array()
            .unwrap()
            .iter()
            .any(|block| {
                let expected = &block["checks"]["positive_data_acceptance"]["expected-statuses"];
                let (named, allowed) = (words(&block["include-operation-id"]), words(expected));
                named.contains(&id) && allowed.contains(&"400")
            })
    };
    let document = openapi_json(None, OpenApiVersion::V3_1);
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut checked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.contains("{user_id}") || path.ends_with("/events") {
            continue;
        }
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(may_refuse(id), "{id}: its id is bounded in bytes");
            checked += 1;
        }
    }
    assert!(checked >= 11, "{checked}");
}

/// A text, or a list of texts.
fn words(value: &toml::Value) -> Vec<&str> {
    match value {
        toml::Value::Array(items) => items.iter().filter_map(toml::Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

/// The runs above must allow a 400 for text that is too long in bytes only. Here each character is
/// a byte, and what a document says of ids and bodies is what its clients may send.
#[test]
fn what_a_document_allows_is_accepted_also_in_the_dialects() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let of_dialects =
        DialectName::ALL.map(|name| format!("/compat/{}/openapi.json", name.as_str()));
    for document in ["/openapi.json".to_owned()].into_iter().chain(of_dialects) {
        let only = [
            ["--checks", "positive_data_acceptance"],
            ["--mode", "positive"],
            ["--generation-codec", "ascii"],
        ];
        run(
            &server,
            CONFIG_OF_ASCII,
            &document,
            only.as_flattened(),
            "25",
        );
    }
    assert!(
        server.terminate().status.success(),
        "the server is still there, and ends in order"
    );
}

/// Tries what a document describes; `examples` of each operation at most. It passes with other
/// seeds and 250 examples too, which takes minutes: `--max-examples 250 --seed 7`.
fn run(server: &Server, config: &str, document: &str, arguments: &[&str], examples: &str) {
    let reports = TempDir::new().unwrap();
    let config = repository("crates/streamgate-server").join(config);
    let output = Command::new("schemathesis")
        .current_dir(reports.path())
        .arg("--config-file")
        .arg(config)
        .arg("run")
        .arg(format!("http://{}{document}", server.address))
        .args(arguments)
        .args(["--max-examples", examples])
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
