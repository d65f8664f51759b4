//! From `key new` to a server that asks for the key.

use std::fs;

use streamgate_testkit::{Server, call, run, run_with, serve_arguments, streamgate};
use tempfile::TempDir;

#[test]
fn a_new_key_works_once_its_hash_is_in_the_settings() {
    let dir = TempDir::new().unwrap();
    let made = run(&["key", "new", "--scope", "admin", "--name", "ops \"1\""]);
    assert_eq!(made.code, Some(0));
    // The key stands apart from the settings, so that `>> streamgate.toml` does not store it.
    let key = made.stderr.lines().map(str::trim);
    let key = key.clone().find(|line| line.starts_with("sgk_")).unwrap();
    assert!(!made.stdout.contains(key));

    let path = dir.path().join("streamgate.toml");
    fs::write(&path, &made.stdout).unwrap();
    let config = path.to_str().unwrap();
    let shown = run(&["config", "show", "--config", config]).ok();
    assert!(shown.contains("…\""), "{shown}");
    assert!(
        !shown.contains(made.stdout.lines().nth(2).unwrap()),
        "{shown}"
    );

    let data = dir.path().join("data");
    let arguments = ["--config", config, "--listen", "0.0.0.0:0"];
    let mut server = Server::start_with(&data, &arguments);
    server.address.set_ip([127, 0, 0, 1].into());
    assert_eq!(server.call("GET", "/v1/users", None).status, 401);
    let answer = call(server.address, "GET", "/v1/users", Some(key), None);
    assert_eq!(answer.status, 200, "{answer:?}");

    let url = server.url();
    let list = ["users", "list", "--url", &url];
    let said = run(&list).failed(1);
    assert!(
        said.contains("HTTP 401") && said.contains("STREAMGATE_KEY"),
        "{said}"
    );
    let with_key = [("STREAMGATE_KEY", key)];
    assert_eq!(run_with(&list, &with_key).ok(), "no users\n");
    assert_eq!(
        run(&[&list[..], &["--key", key]].concat()).ok(),
        "no users\n"
    );
}

#[test]
fn a_key_of_too_small_a_scope_is_told_so() {
    let dir = TempDir::new().unwrap();
    let made = run(&["key", "new", "--json"]).json();
    let of = |name: &str| made[name].as_str().unwrap().to_owned();
    assert_eq!(
        (of("scope"), of("name")),
        ("player".into(), "player".into())
    );
    let keys = format!(
        "[{{ name = \"players\", sha256 = \"{}\", scope = \"player\" }}]",
        of("sha256")
    );
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.env("STREAMGATE_KEYS", keys);
    let server = Server::spawn(command);
    let key = of("key");
    let (url, with_key) = (server.url(), [("STREAMGATE_KEY", key.as_str())]);
    let said = run_with(
        &["users", "set-limit", "anna", "5", "--url", &url],
        &with_key,
    )
    .failed(1);
    assert!(
        said.contains("HTTP 403") && said.contains("scope"),
        "{said}"
    );
    let list = ["sessions", "list", "--user", "anna", "--url", &url];
    let listed = run_with(&list, &with_key).ok();
    assert_eq!(listed, "no live sessions\n0 of 3 slots taken\n");
}
