//! One provider of cryptography in the whole program, with all features: two would be two to patch,
//! and the one that is asked for might be the other one.

use std::collections::BTreeSet;
use std::process::Command;

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

/// What is built into the program, with these further arguments: `NAME vVERSION` each.
fn built(further: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--offline", "--prefix", "none"])
        .args([
            "--edges",
            "normal",
            "--format",
            "{p}",
            "--package",
            "streamgate",
        ])
        .args(further)
        .current_dir(repository("."))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    said.lines().map(words).collect()
}

#[test]
fn aws_lc_rs_is_the_one_provider_of_cryptography() {
    for features in [&[][..], &["--all-features"]] {
        let built = built(features);
        let count = |name: &str| {
            let named = built
                .iter()
                .filter(|it| it.starts_with(&format!("{name} ")));
            named.count()
        };
        for name in OTHERS {
            assert_eq!(count(name), 0, "{name}, {features:?}");
        }
        for name in ["aws-lc-rs", "rustls", "tokio-rustls", "rustls-webpki"] {
            assert_eq!(count(name), 1, "{name}, {features:?}");
        }
    }
}
