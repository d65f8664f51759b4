//! Passwords and TLS; and what is told where they are wrong.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::support::{Flavour, Server, admitted, open, quiet, settings, user};
use streamgate_store_redis::{Certificates, OpenError, RedisSettings, RedisStore};

async fn refused(settings: &RedisSettings) -> String {
    let error = RedisStore::open(settings).await.unwrap_err();
    assert!(matches!(error, OpenError::Unavailable(_)), "{error}");
    let told = error.to_string();
    assert!(!told.contains("secret"), "{told}");
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_a_password_needs_few_rights() {
    let rules = [
        "--user",
        "gate",
        "on",
        ">secret@1",
        "~sg:*",
        "+evalsha",
        "+eval",
        "+get",
        "+set",
        "+setrange",
        "+del",
        "+pexpireat",
        "+time",
        "+scan",
        "+ping",
        "+info",
        "--user",
        "default",
        "off",
    ];
    let server = Server::start(Flavour::Redis, &rules).await;
    let url = |who: &str| RedisSettings::new(&format!("redis://{who}{}", server.address()));
    let store = open(&url("gate:secret%401@")).await;
    assert_eq!(admitted(&[Arc::clone(&store)], &user("u"), 20).await, 3);
    let tenant = streamgate_core::TenantId::default_tenant();
    assert_eq!(
        store.scan(&tenant, None, 10).await.unwrap().records.len(),
        1
    );
    let wrong = refused(&url("gate:secret2@")).await;
    assert!(
        wrong.contains("authentication failed") || wrong.contains("AuthenticationFailed"),
        "{wrong}"
    );
    let nobody = refused(&url("")).await;
    assert!(nobody.contains("Authentication required"), "{nobody}");
    let prefix = RedisSettings {
        key_prefix: "other".to_owned(),
        ..url("gate:secret%401@")
    };
    let forbidden = refused(&prefix).await;
    assert!(
        forbidden.contains("No permissions") || forbidden.contains("NoPerm"),
        "{forbidden}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_told_with_the_address() {
    let port = crate::support::free_port();
    let told = refused(&RedisSettings::new(&format!(
        "redis://:secret@127.0.0.1:{port}"
    )))
    .await;
    assert!(told.contains(&format!("127.0.0.1:{port}")), "{told}");
    assert!(told.contains("refused"), "{told}");
    let told = refused(&RedisSettings::new(&format!(
        "redis+cluster://:secret@127.0.0.1:{port}"
    )))
    .await;
    assert!(told.contains("no map of the cluster"), "{told}");
    let told = refused(&RedisSettings::new(&format!(
        "redis+sentinel://:secret@127.0.0.1:{port}/main"
    )))
    .await;
    assert!(told.contains("no primary \"main\""), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_no_cluster_is_told() {
    let server = Server::start(Flavour::Redis, &[]).await;
    let told = refused(&RedisSettings::new(&format!(
        "redis+cluster://{}",
        server.address()
    )))
    .await;
    assert!(told.contains("cluster support disabled"), "{told}");
}

/// Makes an authority, and a certificate by it for 127.0.0.1.
fn certificates(directory: &Path) {
    let run = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(directory)
            .output()
            .expect("openssl is there: install it, for instance with apt-get");
        assert!(output.status.success(), "{arguments}: {output:?}");
    };
    std::fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    run(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"
    ));
    run(&format!(
        "req {key} -keyout server.key -out server.csr -subj /CN=server"
    ));
    run(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_trusts_whom_it_was_told_to() {
    let made = tempfile::tempdir().unwrap();
    certificates(made.path());
    let file = |name: &str| made.path().join(name).to_str().unwrap().to_owned();
    // The port beside the one with TLS is for the test's own questions.
    let server = Server::start_with(Flavour::Redis, |port, directory| {
        let plain = crate::support::free_port();
        let mut arguments = quiet(directory);
        for (name, value) in [
            ("--port", plain.to_string()),
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", file("server.pem")),
            ("--tls-key-file", file("server.key")),
            ("--tls-ca-cert-file", file("ca.pem")),
            ("--tls-auth-clients", "no".to_owned()),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        (arguments, format!("redis://127.0.0.1:{plain}"))
    })
    .await;
    let told = RedisSettings {
        tls: Certificates {
            authorities: Some(std::fs::read(file("ca.pem")).unwrap()),
            client: None,
        },
        ..settings(&format!("rediss://{}", server.address()))
    };
    let store = open(&told).await;
    assert_eq!(admitted(&[Arc::clone(&store)], &user("u"), 20).await, 3);
    let public = RedisSettings {
        tls: Certificates::default(),
        ..told.clone()
    };
    let error = refused(&public).await;
    assert!(error.contains("certificate"), "{error}");
    let broken = RedisSettings {
        tls: Certificates {
            authorities: Some(
                b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----".to_vec(),
            ),
            client: None,
        },
        ..told
    };
    let error = RedisStore::open(&broken).await.unwrap_err();
    assert!(matches!(error, OpenError::Certificates(_)), "{error}");
}
