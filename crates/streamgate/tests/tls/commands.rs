//! The client commands against a server that speaks TLS with a certificate of a private authority.

use std::fs;

use streamgate_testkit::{run, run_with};
use tempfile::TempDir;

use super::{Node, with_certificate};

/// The variables that name server and authority.
fn variables(node: &Node) -> [(&'static str, String); 2] {
    let authority = node.made.path("ca.pem");
    [
        ("STREAMGATE_URL", node.server.url()),
        ("STREAMGATE_CA_FILE", authority.to_str().unwrap().to_owned()),
    ]
}

/// Runs a command with these variables.
fn ran(arguments: &[&str], variables: &[(&'static str, String)]) -> streamgate_testkit::Ran {
    let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
    run_with(arguments, &variables)
}

#[test]
fn every_command_trusts_the_authority_that_is_named() {
    let node = Node::start(|_| Vec::new());
    let named = variables(&node);
    ran(&["users", "set-limit", "anna", "5"], &named).ok();
    assert!(ran(&["users", "list"], &named).ok().contains("anna"));
    assert_eq!(node.called("PUT", "/v1/users/anna/sessions/s", &[]).0, 201);
    assert!(ran(&["sessions", "list"], &named).ok().contains("anna"));
    assert_eq!(ran(&["health"], &named).ok(), "ready\n");
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("db.json");
    fs::write(&file, "{}").unwrap();
    let file = file.to_str().unwrap();
    ran(&["import", "--from", "stream-requests", file], &named[..]);
    let url = node.server.url();
    let bench = [
        "bench",
        "--target",
        &url,
        "--duration",
        "0.5",
        "--warm-up",
        "0",
        "--users",
        "10",
        "--connections",
        "4",
        "--json",
    ];
    let summary = ran(&bench, &named);
    assert_eq!(summary.code, Some(0), "{summary:?}");
    // By a flag as well, and without either nobody is trusted.
    let authority = named[1].1.as_str();
    run(&["users", "list", "--url", &url, "--ca-file", authority]).ok();
    let refused = run(&["users", "list", "--url", &url]).failed(69);
    assert!(refused.contains("--ca-file"), "{refused}");
    run(&["health", "--url", &url]).failed(1);
}

#[test]
fn commands_show_a_certificate_to_a_server_that_asks_for_one() {
    let node = Node::start(|made| {
        let file = made.path("ca.pem");
        vec![
            "--set".to_owned(),
            format!("tls.client_ca_file={}", file.display()),
        ]
    });
    let mut named = variables(&node).to_vec();
    let without = ran(&["users", "list"], &named);
    assert_ne!(without.code, Some(0), "{without:?}");
    for (name, file) in [
        ("STREAMGATE_CLIENT_CERT_FILE", "client.pem"),
        ("STREAMGATE_CLIENT_KEY_FILE", "client.key"),
    ] {
        let file = node.made.path(file);
        named.push((name, file.to_str().unwrap().to_owned()));
    }
    ran(&["users", "list"], &named).ok();
    assert_eq!(ran(&["health"], &named).ok(), "ready\n");
    // As an `.env` file with the line ends of Windows sets them.
    for (_, text) in &mut named {
        *text = format!(" {text}\r");
    }
    ran(&["users", "list"], &named).ok();
    assert_eq!(ran(&["health"], &named).ok(), "ready\n");
}

/// The health check of the container has the settings of the server and nothing else.
#[test]
fn a_health_check_without_arguments_asks_its_own_server_over_tls() {
    let node = Node::start(|_| Vec::new());
    let listen = node.server.address.to_string();
    let [cert, key] = ["server.pem", "server.key"].map(|name| node.made.path(name));
    let variables = [
        ("STREAMGATE_LISTEN", listen.as_str()),
        ("STREAMGATE_TLS_CERT_FILE", cert.to_str().unwrap()),
        ("STREAMGATE_TLS_KEY_FILE", key.to_str().unwrap()),
    ];
    assert_eq!(run_with(&["health"], &variables).ok(), "ready\n");
    run_with(&["health"], &variables[..1]).failed(1);
}

#[test]
fn files_that_hold_no_certificate_are_an_error_of_the_command_line() {
    let node = Node::start(|_| Vec::new());
    let url = node.server.url();
    let key = node.made.path("server.key");
    let said = run(&[
        "users",
        "list",
        "--url",
        &url,
        "--ca-file",
        key.to_str().unwrap(),
    ])
    .failed(2);
    assert!(
        said.contains("there is no certificate in PEM form"),
        "{said}"
    );
    assert!(!with_certificate(&node.made, "server").is_empty());
}
