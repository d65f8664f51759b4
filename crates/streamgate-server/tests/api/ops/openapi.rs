//! `/openapi.json`, and the copy of it in the repository.

use std::fs;
use std::path::Path;

use serde_json::Value;
use streamgate_server::openapi_json;

use crate::support::Service;

/// Set it to write the copy anew.
const REWRITE: &str = "STREAMGATE_REWRITE";

#[test]
fn the_copy_in_the_repository_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let current = openapi_json();
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, &current).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "openapi.json differs from the code; run this test with {REWRITE}=1"
    );
}
