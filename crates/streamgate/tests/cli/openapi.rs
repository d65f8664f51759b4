//! `streamgate openapi`.

use streamgate_testkit::{Server, run, serve_arguments, streamgate};
use tempfile::TempDir;

const DIALECTS: [&str; 5] = [
    "session-tracker",
    "concurrency-service",
    "stream-log",
    "user-streams",
    "stream-requests",
];

/// The bytes of it, with settings that once were in it: clients are generated from what is printed
/// and used with what is served.
#[test]
fn what_is_printed_is_what_every_server_serves() {
    let printed = run(&["openapi"]).stdout;
    assert!(printed.contains("\"openapi\": \"3.1"), "{printed}");
    let dir = TempDir::new().unwrap();
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.args(["--set", "plans.basic.limit=1"]);
    let server = Server::spawn(command);
    let served = server.call("GET", "/openapi.json", None);
    assert_eq!(served.text, printed);
    for name in DIALECTS {
        let printed = run(&["openapi", "--dialect", name]).stdout;
        let path = format!("/compat/{name}/openapi.json");
        assert_eq!(server.call("GET", &path, None).text, printed);
        let url = format!("\"url\": \"/compat/{name}\"");
        assert!(printed.contains(&url), "{printed}");
    }
    run(&["openapi", "--dialect", "esperanto"]).failed(2);
}

#[test]
fn it_is_printed_in_an_older_version_for_generators_that_want_it() {
    let same = run(&["openapi", "--version", "3.1"]);
    assert_eq!(same.stdout, run(&["openapi"]).stdout);
    assert_eq!(
        run(&["openapi", "--version", "3.0"]).json()["openapi"],
        "3.0.3"
    );
    for name in DIALECTS {
        let old = run(&["openapi", "--version", "3.0", "--dialect", name]).json();
        assert_eq!(old["openapi"], "3.0.3");
        assert!(!old["paths"].as_object().unwrap().is_empty(), "{name}");
    }
    run(&["openapi", "--version", "2.0"]).failed(2);
}
