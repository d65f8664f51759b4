//! `streamgate health`, as a container runs it.

use streamgate_testkit::{Server, run, run_with};
use tempfile::TempDir;

#[test]
fn a_server_that_is_ready_is_healthy() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    assert_eq!(run(&["health", "--url", &server.url()]).ok(), "ready\n");
    // As in an image: the server listens on all addresses of the container, at a port of its own.
    let everywhere = format!("0.0.0.0:{}", server.address.port());
    let variables = [("STREAMGATE_LISTEN", everywhere.as_str())];
    assert_eq!(run_with(&["health"], &variables).ok(), "ready\n");
    // As an `.env` file with the line ends of Windows sets it.
    let url = format!(" {}\r", server.url());
    let named = [("STREAMGATE_URL", url.as_str())];
    assert_eq!(run_with(&["health"], &named).ok(), "ready\n");
    server.kill();
    // Container engines know 0 and 1 only.
    run_with(&["health"], &variables).failed(1);
}
