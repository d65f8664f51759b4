//! TLS: the authorities that are trusted, and client certificates.

use std::sync::Arc;

use crate::security::refused;
use crate::support::{admitted, open, settings, user};
use streamgate_store_redis::{CertificateError, Certificates, RedisSettings, SettingsError};
use streamgate_testkit::{Certificates as Made, Redis};

/// A server that speaks TLS, and asks for a certificate or not.
fn server(made: &Made, auth_clients: &str) -> Redis {
    Redis::start_tls(made, auth_clients, &[])
}

fn with(server: &Redis, tls: Certificates) -> RedisSettings {
    RedisSettings {
        tls,
        ..settings(&format!("rediss://{}", server.address()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_trusts_only_the_configured_ca() {
    let made = Made::make();
    let server = server(&made, "no");
    let trusting = |authorities: Option<&str>| Certificates {
        authorities: authorities.map(|name| made.read(name)),
        client: None,
    };
    let store = open(&with(&server, trusting(Some("ca.pem")))).await;
    assert_eq!(admitted(&[Arc::clone(&store)], &user("u"), 20).await, 3);
    for strangers in [None, Some("other.pem")] {
        let error = refused(&with(&server, trusting(strangers))).await;
        assert!(error.contains("certificate"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_for_a_certificate_is_shown_it() {
    let made = Made::make();
    let server = server(&made, "yes");
    let client = Certificates {
        authorities: Some(made.read("ca.pem")),
        client: Some((made.read("client.pem"), made.read("client.key"))),
    };
    let store = open(&with(&server, client.clone())).await;
    assert_eq!(admitted(&[Arc::clone(&store)], &user("u"), 20).await, 3);
    let nothing_to_show = Certificates {
        client: None,
        ..client
    };
    let error = refused(&with(&server, nothing_to_show)).await;
    assert!(error.contains("CertificateRequired"), "{error}");
}

#[test]
fn unusable_tls_files_are_found_before_connecting() {
    let made = Made::make();
    let check = |authorities: &str, certificate: &str, key: &str| {
        let settings = RedisSettings {
            tls: Certificates {
                authorities: Some(made.read(authorities)),
                client: Some((made.read(certificate), made.read(key))),
            },
            ..settings("rediss://localhost")
        };
        match settings.check() {
            Ok(()) => None,
            Err(SettingsError::Certificates(error)) => Some(error),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(check("ca.pem", "client.pem", "client.key"), None);
    let wrong = |files: [&str; 3]| check(files[0], files[1], files[2]).unwrap();
    for (files, part) in [
        (["ca.key", "client.pem", "client.key"], "no certificate"),
        (["names", "client.pem", "client.key"], "no certificate"),
    ] {
        let error = wrong(files);
        assert!(matches!(&error, CertificateError::Authorities(why) if why.contains(part)));
    }
    let error = wrong(["ca.pem", "client.key", "client.key"]);
    assert!(matches!(error, CertificateError::Certificate(_)), "{error}");
    for (files, part) in [
        (["ca.pem", "client.pem", "client.pem"], "no private key"),
        (
            ["ca.pem", "client.pem", "server.key"],
            "another certificate",
        ),
    ] {
        let error = wrong(files);
        assert!(
            matches!(&error, CertificateError::Key(why) if why.contains(part)),
            "{error}"
        );
    }
}
