//! One provider of cryptography in the whole program, with all features: two would be two to patch,
//! and the one that is asked for might be the other one.

use std::fs;

use streamgate_testkit::repository;

/// Crates that bring cryptography for TLS or tokens; aws-lc-rs is ours.
const OTHERS: [&str; 8] = [
    "ring",
    "openssl",
    "openssl-sys",
    "native-tls",
    "boring",
    "rustls-rustcrypto",
    "rustls-openssl",
    "rsa",
];

#[test]
fn aws_lc_rs_is_the_one_provider_of_cryptography() {
    let lock = fs::read_to_string(repository("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let count = |name: &str| {
        let named = packages
            .iter()
            .filter(|it| it["name"].as_str() == Some(name));
        named.count()
    };
    for name in OTHERS {
        assert_eq!(count(name), 0, "{name}");
    }
    for name in ["aws-lc-rs", "rustls", "tokio-rustls", "rustls-webpki"] {
        assert_eq!(count(name), 1, "{name}");
    }
}
