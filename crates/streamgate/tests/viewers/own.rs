//! Tokens that the server mints, and the keys that sign them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use streamgate_testkit::{Server, call};
use tempfile::TempDir;

use super::{SERVICE, call_with, key_in, list, minted, published, service_key, signed};

const TAKEN: &str = "SIGHUP: the settings were read again";

/// A node with a key of scope service, and what else its configuration says.
fn node(dir: &TempDir, more: &str) -> Server {
    let file = dir.path().join("streamgate.toml");
    fs::write(&file, format!("{}{more}", service_key())).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    Server::start_with(&dir.path().join("data"), &config)
}

#[test]
fn a_viewer_plays_with_a_minted_token_and_reaches_nobody_else() {
    let dir = TempDir::new().unwrap();
    let node = node(&dir, "");
    let token = minted(&node, "anna");
    let ask = |method: &str, path: &str| call_with(node.address, &token, method, path);
    let own = "/v1/users/anna/sessions";
    assert_eq!(ask("PUT", &format!("{own}/tv")).status, 201);
    assert_eq!(ask("POST", &format!("{own}/tv/heartbeat")).status, 200);
    assert_eq!(ask("GET", own).json()["active"], 1);
    assert_eq!(ask("DELETE", &format!("{own}/tv")).status, 204);
    for (method, path) in [
        ("PUT", "/v1/users/bob/sessions/tv"),
        ("GET", "/v1/users/bob/sessions"),
        ("GET", "/v1/users/anna"),
        ("PUT", "/v1/users/anna"),
        ("POST", "/v1/users/anna/tokens"),
        ("GET", "/v1/users"),
        ("POST", "/v1/heartbeats"),
    ] {
        let answer = ask(method, path);
        assert_eq!(answer.status, 403, "{method} {path}");
        assert_eq!(answer.json()["code"], "forbidden", "{method} {path}");
    }
    let bob = call(node.address, "GET", "/v1/users/bob", Some(SERVICE), None);
    assert_eq!(bob.status, 404);
}

#[test]
fn forged_tokens_are_401_and_say_whether_they_have_expired_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("key.pem");
    let key = key_in(&file);
    let node = node(&dir, &format!("[tokens]\nsigning_key_file = {file:?}\n"));
    let names = ("streamgate", "streamgate");
    let good = signed(&key, names, "anna", 600);
    assert_eq!(list(&node, &good, "anna"), 200);
    let thief = key_in(&dir.path().join("other.pem"));
    let parts: Vec<&str> = good.split('.').collect();
    // {"alg":"none"}
    let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    for token in [
        signed(&thief, names, "anna", 600),
        signed(&key, ("other", "streamgate"), "anna", 600),
        signed(&key, ("streamgate", "other"), "anna", 600),
        format!("{}.{}.", parts[0], parts[1]),
        none,
        format!("{good}x"),
        format!("{good}{}", "x".repeat(8_192)),
        "..".to_owned(),
    ] {
        let answer = call_with(node.address, &token, "GET", "/v1/users/anna/sessions");
        assert_eq!(answer.status, 401);
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer error=\"invalid_token\""
        );
        assert_eq!(answer.json()["detail"], "the token is not valid");
    }
    assert_eq!(
        node.metric::<u64>("streamgate_tokens_refused_total{reason=\"too_long\"}"),
        1
    );
}

#[test]
fn the_key_of_a_data_directory_is_made_once_and_outlives_restarts() {
    let dir = TempDir::new().unwrap();
    let first = node(&dir, "");
    let token = minted(&first, "anna");
    let kids = published(&first);
    assert_eq!(kids.len(), 1);
    assert!(first.terminate().status.success());
    let file = dir.path().join("data/token-signing-key.pem");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let second = node(&dir, "");
    assert_eq!(published(&second), kids);
    assert_eq!(list(&second, &token, "anna"), 200);
    second.kill();
    fs::write(&file, "damaged").unwrap();
    let config = dir.path().join("streamgate.toml");
    let data = dir.path().join("data");
    let ran = streamgate_testkit::run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data.to_str().unwrap(),
        "--config",
        config.to_str().unwrap(),
    ]);
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("token-signing-key.pem"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "damaged",
        "it is not replaced"
    );
}

#[test]
fn a_signing_key_is_replaced_with_an_overlap_and_without_a_restart() {
    let dir = TempDir::new().unwrap();
    let [old, new] = ["old.pem", "new.pem"].map(|name| dir.path().join(name));
    let (old_key, new_key) = (key_in(&old), key_in(&new));
    let mut node = node(&dir, &format!("[tokens]\nsigning_key_file = {old:?}\n"));
    let of_old = minted(&node, "anna");
    assert_eq!(published(&node), [old_key.public().id()]);
    let reload = |node: &mut Server, tokens: &str| {
        let settings = format!("{}[tokens]\n{tokens}", service_key());
        fs::write(dir.path().join("streamgate.toml"), settings).unwrap();
        node.signal(Signal::HUP);
        node.wait_for_log(TAKEN)
    };
    let line = reload(
        &mut node,
        &format!("signing_key_file = {new:?}\nprevious_key_file = {old:?}\n"),
    );
    assert!(line.contains("tokens.signing_key_file"), "{line}");
    let of_new = minted(&node, "anna");
    assert_eq!(
        published(&node),
        [new_key.public().id(), old_key.public().id()]
    );
    for token in [&of_old, &of_new] {
        assert_eq!(list(&node, token, "anna"), 200);
    }
    reload(&mut node, &format!("signing_key_file = {new:?}\n"));
    assert_eq!(list(&node, &of_old, "anna"), 401);
    assert_eq!(list(&node, &of_new, "anna"), 200);

    // The same file with another key in it.
    let third = key_in(&new);
    let line = reload(&mut node, &format!("signing_key_file = {new:?}\n"));
    assert!(line.contains("tokens.signing_key_file"), "{line}");
    assert_eq!(published(&node), [third.public().id()]);
    assert_eq!(list(&node, &of_new, "anna"), 401);

    // A file that is no key changes nothing.
    fs::write(&new, "no key").unwrap();
    node.signal(Signal::HUP);
    let line = node.wait_for_log("SIGHUP: the settings are wrong");
    assert!(line.contains("signing_key_file"), "{line}");
    assert_eq!(published(&node), [third.public().id()]);
}
