//! Tokens on nodes that share a store.

use std::fs;

use streamgate_testkit::{Flavour, Redis, Server, call};
use tempfile::TempDir;

use super::{SERVICE, call_with, key_in, list, minted, service_key};

fn node(dir: &TempDir, redis: &Redis, more: &str) -> Server {
    let file = dir.path().join("streamgate.toml");
    let store = format!("[store]\nurl = \"{}\"\n", redis.url());
    fs::write(&file, format!("{}{store}{more}", service_key())).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    Server::start_with(&dir.path().join("data"), &config)
}

#[test]
fn nodes_without_a_signing_key_say_so_at_the_first_mint() {
    let (dir, redis) = (TempDir::new().unwrap(), Redis::start(Flavour::Redis, &[]));
    let node = node(&dir, &redis, "");
    let answer = call(
        node.address,
        "POST",
        "/v1/users/anna/tokens",
        Some(SERVICE),
        None,
    );
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(answer.json()["code"], "not_configured");
    assert!(
        answer.text.contains("tokens.signing_key_file"),
        "{}",
        answer.text
    );
}

#[test]
fn a_token_of_one_node_is_good_on_the_other() {
    let (dir, redis) = (TempDir::new().unwrap(), Redis::start(Flavour::Redis, &[]));
    let file = dir.path().join("key.pem");
    key_in(&file);
    let tokens = format!("[tokens]\nsigning_key_file = {file:?}\n");
    let [one, other] = [(); 2].map(|()| node(&dir, &redis, &tokens));
    let token = minted(&one, "anna");
    let path = "/v1/users/anna/sessions/tv";
    assert_eq!(call_with(other.address, &token, "PUT", path).status, 201);
    assert_eq!(call_with(one.address, &token, "PUT", path).status, 200);
    assert_eq!(list(&other, &token, "bob"), 403);
}
