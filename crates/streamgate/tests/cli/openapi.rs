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
