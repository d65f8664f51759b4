//! Renewal of the certificate of a running server, and its end.

use std::time::Duration;

use rustix::process::Signal;
use streamgate_clock::Stopwatch;

use super::{Node, renew};

/// The subject of the certificate that is served.
fn served(node: &Node) -> String {
    let output = node.s_client().output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| line.starts_with("subject="));
    line.unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn sighup_takes_the_new_certificate_and_refuses_a_pair_that_does_not_fit() {
    let mut node = Node::start(|made| {
        made.issue("renewed", 30);
        Vec::new()
    });
    assert!(served(&node).contains("server"));
    let before = node.metric("streamgate_tls_not_after{}");
    let certificate = node.made.path("server.pem");
    std::fs::write(node.made.path("server.key"), node.made.read("client.key")).unwrap();
    node.server.signal(Signal::HUP);
    let line = node.server.wait_for_log("SIGHUP: the settings are wrong");
    assert!(line.contains("tls.key_file"), "{line}");
    assert!(served(&node).contains("server"));
    renew(&node.made, "renewed", &certificate);
    node.server.signal(Signal::HUP);
    let line = node.server.wait_for_log("these changes are in use");
    assert!(line.contains("tls.cert_file"), "{line}");
    assert!(served(&node).contains("renewed"));
    assert!(node.metric("streamgate_tls_not_after{}") > before);
}

/// Without a signal, within 30 s.
#[test]
fn a_renewal_is_found_by_a_look() {
    let mut node = Node::start(|made| {
        made.issue("renewed", 30);
        Vec::new()
    });
    let certificate = node.made.path("server.pem");
    renew(&node.made, "renewed", &certificate);
    node.server.wait_for_log("the files of tls were read again");
    assert!(served(&node).contains("renewed"));
}

/// A client that has begun a handshake and says nothing more does not hold up the end.
#[test]
fn a_server_with_handshakes_under_way_stops_at_once() {
    let node = Node::start(|_| Vec::new());
    let _silent: Vec<_> = (0..100)
        .map(|_| std::net::TcpStream::connect(node.server.address).unwrap())
        .collect();
    let began = Stopwatch::start();
    let ended = node.server.terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert!(!ended.stderr.contains("were cut off"), "{}", ended.stderr);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}
