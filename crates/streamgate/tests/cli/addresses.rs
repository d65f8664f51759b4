//! Limits by address on a real socket, with the settings of the binary.

use std::net::SocketAddr;

use streamgate_testkit::{Server, exchange, run, serve_arguments, streamgate};
use tempfile::TempDir;

/// A server with one key, and that key.
fn keyed(dir: &TempDir, arguments: &[&str]) -> (Server, String) {
    let made = run(&["key", "new", "--json"]).json();
    let hash = made["sha256"].as_str().unwrap();
    let mut command = streamgate(&[&serve_arguments(dir.path())[..], arguments].concat());
    let keys = format!("[{{ name = \"players\", sha256 = \"{hash}\", scope = \"player\" }}]");
    command.env("STREAMGATE_KEYS", keys);
    (
        Server::spawn(command),
        made["key"].as_str().unwrap().to_owned(),
    )
}

fn status(to: SocketAddr, key: &str, forwarded_for: &str) -> u16 {
    let head = format!(
        "GET /v1/users/u/sessions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         x-api-key: {key}\r\nx-forwarded-for: {forwarded_for}\r\n\r\n"
    );
    exchange(to, head.as_bytes()).status
}

/// How many of 100 wrong keys are answered 401. More than 60 only on a machine that stalls.
fn failures(to: SocketAddr, forwarded_for: impl Fn(u32) -> String) -> usize {
    let answers = (0..100).map(|i| status(to, "guess", &forwarded_for(i)));
    answers.filter(|status| *status == 401).count()
}

#[test]
fn a_peer_may_fail_sixty_times_at_once_and_a_valid_key_passes() {
    let dir = TempDir::new().unwrap();
    let (server, key) = keyed(&dir, &[]);
    // Nobody is trusted, so the header does not help.
    let failed = failures(server.address, |i| format!("198.51.100.{i}"));
    assert!((60..100).contains(&failed), "{failed}");
    assert_eq!(status(server.address, &key, ""), 200);
}

#[test]
fn the_clients_of_a_trusted_proxy_are_counted_one_by_one() {
    let dir = TempDir::new().unwrap();
    let trusted = ["--set", "http.trusted_proxies=127.0.0.0/8,::1"];
    let (server, key) = keyed(&dir, &trusted);
    assert_eq!(failures(server.address, |i| format!("198.51.100.{i}")), 100);
    let failed = failures(server.address, |i| format!("203.0.113.{i}, 198.51.100.200"));
    assert!((60..100).contains(&failed), "{failed}");
    assert_eq!(status(server.address, &key, "198.51.100.200"), 200);
}

#[test]
fn a_wrong_network_and_one_that_trusts_everybody_are_told() {
    let wrong = run(&[
        "config",
        "check",
        "--set",
        "http.trusted_proxies=10.0.0.1/8",
    ])
    .failed(1);
    assert!(wrong.contains("http.trusted_proxies"), "{wrong}");
    assert!(wrong.contains("10.0.0.0/8 is the whole network"), "{wrong}");
    let everybody = run(&["config", "check", "--set", "http.trusted_proxies=0.0.0.0/0"]);
    let said = format!("{}{}", everybody.stdout, everybody.stderr);
    assert!(said.contains("every client may choose its own"), "{said}");
}
