//! The settings of TLS: `config check` finds what is wrong with the files before a start does.

use streamgate_testkit::{Certificates, run};

use super::with_certificate;

/// Runs `config check` with these files.
fn checked(settings: &[String]) -> streamgate_testkit::Ran {
    let settings = settings.iter().map(String::as_str);
    let arguments: Vec<&str> = ["config", "check"].into_iter().chain(settings).collect();
    run(&arguments)
}

fn set(name: &str, value: &str) -> [String; 2] {
    ["--set".to_owned(), format!("tls.{name}={value}")]
}

#[test]
fn what_is_wrong_with_the_files_is_found_by_a_check() {
    let made = Certificates::make();
    let file = |name: &str| made.path(name).to_str().unwrap().to_owned();
    let good = with_certificate(&made, "server");
    assert_eq!(checked(&good).ok(), "the settings are valid\n");
    let of = |settings: &[[String; 2]]| checked(settings.as_flattened()).failed(1);
    let cert = set("cert_file", &file("server.pem"));
    let key = set("key_file", &file("server.key"));
    for (settings, told) in [
        (
            vec![cert.clone()],
            "tls.cert_file is of no use without tls.key_file",
        ),
        (
            vec![key.clone()],
            "tls.key_file is of no use without tls.cert_file",
        ),
        (
            vec![set("client_ca_file", &file("ca.pem"))],
            "tls.client_ca_file is set, but the server speaks no TLS",
        ),
        (
            vec![cert.clone(), set("key_file", &file("client.key"))],
            "it is the key of another certificate",
        ),
        (
            vec![
                cert.clone(),
                key.clone(),
                set("client_ca_file", &file("names")),
            ],
            "there is no certificate in PEM form in it",
        ),
        (
            vec![cert, set("key_file", "-----BEGIN PRIVATE KEY-----")],
            "must be the path of a PEM file",
        ),
        (
            vec![set("cert_file", "/nowhere.pem"), key],
            "cannot be read: No such file",
        ),
    ] {
        let said = of(&settings);
        assert!(said.contains(told), "{told}: {said}");
    }
}

#[test]
fn an_expired_certificate_is_a_warning() {
    let made = Certificates::make();
    made.issue("old", -1);
    let ran = checked(&with_certificate(&made, "old"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("has expired at 20"), "{ran:?}");
}
