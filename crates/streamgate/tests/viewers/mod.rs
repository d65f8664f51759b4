//! Viewer tokens on the real binary: minted, accepted, refused, and over restarts and reloads.
//!
//! What is *not* here: every way to forge a token, which the tests of `streamgate-tokens` go
//! through.

mod issuers;
mod nodes;
mod own;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;
use streamgate_clock::wall_ms;
use streamgate_core::{TenantId, UserKey};
use streamgate_server::hash_key;
use streamgate_testkit::{Answer, Server, call, exchange};
use streamgate_tokens::SigningKey;

const SERVICE: &str = "the key of a service";

/// A key of scope service, as a configuration file has it.
fn service_key() -> String {
    let sha256 = hash_key(SERVICE);
    format!("[[keys]]\nname = \"service\"\nsha256 = \"{sha256}\"\nscope = \"service\"\n")
}

/// Calls with a token, without a body.
fn call_with(to: SocketAddr, token: &str, method: &str, path: &str) -> Answer {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\nauthorization: Bearer \
         {token}\r\ncontent-length: 0\r\n\r\n"
    );
    exchange(to, head.as_bytes())
}

/// The status of a call that lists the sessions of a user.
fn list(node: &Server, token: &str, user: &str) -> u16 {
    let path = format!("/v1/users/{user}/sessions");
    call_with(node.address, token, "GET", &path).status
}

/// A token that a node mints.
#[track_caller]
fn minted(node: &Server, user: &str) -> String {
    let path = format!("/v1/users/{user}/tokens");
    let answer = call(node.address, "POST", &path, Some(SERVICE), None);
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// A token for a user of the default tenant, as this key signs it.
fn signed(key: &SigningKey, (issuer, audience): (&str, &str), user: &str, ttl_s: u32) -> String {
    let user = UserKey::of_text(&TenantId::default_tenant(), user).unwrap();
    let now_s = wall_ms() / 1_000;
    let minted = key.mint((issuer, audience), &user, now_s, ttl_s);
    minted.unwrap().token
}

/// Makes a key in a file.
fn key_in(file: &Path) -> SigningKey {
    let pem = SigningKey::generate_pem().unwrap();
    std::fs::write(file, &pem).unwrap();
    SigningKey::from_pem(pem.as_bytes()).unwrap()
}

/// The ids of the keys that a node publishes.
fn published(node: &Server) -> Vec<String> {
    let answer = node.call("GET", "/.well-known/jwks.json", None);
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    let kids = keys
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned());
    assert_ne!(json!(keys), json!(null));
    kids.collect()
}
