//! `streamgate openapi`.

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Server, run};

#[test]
fn the_document_has_the_paths_that_the_server_serves() {
    let printed = run(&["openapi"]).json();
    assert!(printed["openapi"].as_str().unwrap().starts_with("3.1"));
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    // A server's own document knows its plans and whether it asks for keys; this one cannot.
    let served = server.call("GET", "/openapi.json", None).json();
    let paths = |document: &Value| -> Vec<String> {
        let paths = document["paths"].as_object().unwrap();
        paths.keys().cloned().collect()
    };
    assert_eq!(paths(&served), paths(&printed));
    assert!(paths(&printed).len() >= 10);
}

#[test]
fn each_dialect_has_a_document_of_its_own_that_the_server_serves() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    for name in [
        "session-tracker",
        "concurrency-service",
        "stream-log",
        "user-streams",
        "stream-requests",
    ] {
        let printed = run(&["openapi", "--dialect", name]).json();
        let path = format!("/compat/{name}/openapi.json");
        let served = server.call("GET", &path, None).json();
        assert_eq!(
            served["paths"].as_object().unwrap().len(),
            printed["paths"].as_object().unwrap().len()
        );
        assert_eq!(served["info"], printed["info"]);
        assert_eq!(served["servers"][0]["url"], format!("/compat/{name}"));
        assert!(!printed["paths"].as_object().unwrap().is_empty(), "{name}");
    }
    run(&["openapi", "--dialect", "esperanto"]).failed(2);
}
