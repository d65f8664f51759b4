//! TLS: the authorities that are trusted, and client certificates.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use crate::security::refused;
use crate::support::{Flavour, Server, admitted, free_port, open, quiet, settings, user};
use streamgate_store_redis::{CertificateError, Certificates, RedisSettings, SettingsError};

/// Two authorities that know nothing of each other, and certificates of the first for a server at
/// 127.0.0.1 and for whoever asks it.
fn certificates() -> TempDir {
    let made = tempfile::tempdir().unwrap();
    let run = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(made.path())
            .output()
            .expect("openssl is there: install it, for instance with apt-get");
        assert!(output.status.success(), "{arguments}: {output:?}");
    };
    std::fs::write(made.path().join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for name in ["ca", "other"] {
        run(&format!(
            "req -x509 {key} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"
        ));
    }
    for name in ["server", "client"] {
        run(&format!(
            "req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        run(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem \
             -days 2 -extfile names"
        ));
    }
    made
}

fn file(made: &TempDir, name: &str) -> String {
    made.path().join(name).to_str().unwrap().to_owned()
}

fn read(made: &TempDir, name: &str) -> Vec<u8> {
    std::fs::read(made.path().join(name)).unwrap()
}

/// A server that speaks TLS, and asks for a certificate or not.
async fn server(made: &TempDir, auth_clients: &str) -> Server {
    // The port beside the one with TLS is for the test's own questions.
    Server::start_with(Flavour::Redis, |port, directory: &Path| {
        let plain = free_port();
        let mut arguments = quiet(directory);
        for (name, value) in [
            ("--port", plain.to_string()),
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", file(made, "server.pem")),
            ("--tls-key-file", file(made, "server.key")),
            ("--tls-ca-cert-file", file(made, "ca.pem")),
            ("--tls-auth-clients", auth_clients.to_owned()),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        (arguments, format!("redis://127.0.0.1:{plain}"))
    })
    .await
}

fn with(server: &Server, tls: Certificates) -> RedisSettings {
    RedisSettings {
        tls,
        ..settings(&format!("rediss://{}", server.address()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_trusts_whom_it_was_told_to() {
    let made = certificates();
    let server = server(&made, "no").await;
    let trusting = |authorities: Option<&str>| Certificates {
        authorities: authorities.map(|name| read(&made, name)),
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
    let made = certificates();
    let server = server(&made, "yes").await;
    let client = Certificates {
        authorities: Some(read(&made, "ca.pem")),
        client: Some((read(&made, "client.pem"), read(&made, "client.key"))),
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
fn what_cannot_be_used_is_found_before_a_server_is_asked() {
    let made = certificates();
    let check = |authorities: &str, certificate: &str, key: &str| {
        let settings = RedisSettings {
            tls: Certificates {
                authorities: Some(read(&made, authorities)),
                client: Some((read(&made, certificate), read(&made, key))),
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
