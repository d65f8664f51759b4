//! Redis behind TLS, passwords and certificates; and settings of them that cannot work.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::nodes::process::Process;
use crate::nodes::{eventually, pause};
use crate::support::{Server, run_with, serve_arguments, streamgate};

/// The variable that keeps the password out of the command line.
const URL: &str = "STREAMGATE_STORE_URL";

/// Two authorities that know nothing of each other, and certificates of the first for a server at
/// 127.0.0.1 and for a node.
fn certificates() -> TempDir {
    let made = TempDir::new().unwrap();
    let run = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(made.path())
            .output()
            .expect("openssl is there: ./test installs it");
        assert!(output.status.success(), "{arguments}: {output:?}");
    };
    fs::write(made.path().join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for name in ["ca", "other"] {
        run(&format!(
            "req -x509 {key} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"
        ));
    }
    for name in ["server", "node"] {
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

/// A Redis server that speaks nothing but TLS, asks for a certificate, and knows one user.
fn redis(made: &Path) -> Process {
    Process::start(|port| redis_at(made, port))
}

fn redis_at(made: &Path, port: u16) -> Command {
    let mut command = Command::new("redis-server");
    command
        .current_dir(made)
        .args(["--port", "0", "--tls-port", &port.to_string()])
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--tls-cert-file", "server.pem"])
        .args(["--tls-key-file", "server.key"])
        .args(["--tls-ca-cert-file", "ca.pem"])
        .args(["--tls-auth-clients", "yes"])
        .args(["--user", "gate", "on", ">do@not-tell", "~sg:*", "+@all"])
        .args(["--user", "default", "off"]);
    command
}

/// Arguments that set files, each in a directory.
fn files(made: &Path, files: &[(&str, &str)]) -> Vec<String> {
    files
        .iter()
        .flat_map(|(setting, file)| {
            let file = made.join(file);
            [
                "--set".to_owned(),
                format!("store.redis.{setting}={}", file.display()),
            ]
        })
        .collect()
}

/// A node with these files.
fn node(data: &Path, url: &str, files: &[String]) -> Command {
    let mut command = streamgate(&serve_arguments(data));
    command.args(files).env(URL, url);
    command
}

#[test]
fn a_node_shows_its_certificate_and_trusts_only_whom_it_was_told_to() {
    let made = certificates();
    let redis = redis(made.path());
    let data = TempDir::new().unwrap();
    let address = format!("127.0.0.1:{}", redis.port);
    let url = format!("rediss://gate:do%40not-tell@{address}");
    let own = [("tls_cert_file", "node.pem"), ("tls_key_file", "node.key")];
    let trusting = |ca| files(made.path(), &[&own[..], &[("tls_ca_file", ca)]].concat());

    let node_of = |ca| node(data.path(), &url, &trusting(ca));
    let server = Server::spawn(node_of("ca.pem"));
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
    let path = "/v1/users/u/sessions/s";
    assert_eq!(server.call("PUT", path, None).status, 201);
    let ended = server.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains(&format!("rediss://***@{address}")), "{all}");
    assert!(!all.contains("not-tell"), "{all}");

    let output = node_of("other.pem").output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        &address,
        "certificate",
        "UnknownIssuer",
        "store.redis.tls_ca_file",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("not-tell"), "{said}");
}

/// A certificate is replaced while a node runs: new connections use the new one.
#[test]
fn certificates_are_read_again_at_sighup() {
    let made = certificates();
    let redis = redis(made.path());
    let port = redis.port;
    let data = TempDir::new().unwrap();
    let url = format!("rediss://gate:do%40not-tell@127.0.0.1:{port}");
    let trusted = made.path().join("trusted.pem");
    let trust = |ca: &str| fs::copy(made.path().join(ca), &trusted).unwrap();
    trust("ca.pem");
    let own = [
        ("tls_ca_file", "trusted.pem"),
        ("tls_cert_file", "node.pem"),
        ("tls_key_file", "node.key"),
    ];
    let mut server = Server::spawn(node(data.path(), &url, &files(made.path(), &own)));
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
    // The node trusts an authority that knows nothing of the server: once its connection is gone, it
    // finds none that it may use.
    trust("other.pem");
    server.signal(Signal::HUP);
    let line = server.wait_for_log("SIGHUP: the settings were read again");
    assert!(line.contains("store.redis.tls_ca_file"), "{line}");
    drop(redis);
    let again = Process::start_on(port, |port| redis_at(made.path(), port));
    let _redis = again.expect("the port was its own");
    let start = || server.call("PUT", "/v1/users/u/sessions/s", None).status;
    for _ in 0..20 {
        assert_eq!(start(), 503);
        pause();
    }
    trust("ca.pem");
    server.signal(Signal::HUP);
    eventually("the store is used again", || start() == 201);
    assert!(server.terminate().status.success());
}

/// What `config check` says of these settings.
#[track_caller]
fn complaint(url: &str, arguments: &[String]) -> String {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let arguments = [&["config", "check"], &arguments[..]].concat();
    let said = run_with(&arguments, &[(URL, url)]).failed(1);
    assert!(said.contains("a setting is wrong"), "{said}");
    said
}

#[test]
fn each_file_that_cannot_be_used_is_named_with_its_setting() {
    let made = certificates();
    let at = |file: &str| made.path().join(file).display().to_string();
    let (ca, cert, key) = ("tls_ca_file", "tls_cert_file", "tls_key_file");
    let tls = "rediss://h";
    for (url, settings, wrong, why) in [
        (
            tls,
            vec![(ca, "nothing")],
            ca,
            "nothing, which cannot be read",
        ),
        (
            tls,
            vec![(ca, "names")],
            ca,
            "names: there is no certificate",
        ),
        (
            tls,
            vec![(cert, "node.pem")],
            cert,
            "without store.redis.tls_key_file",
        ),
        (
            tls,
            vec![(key, "node.key")],
            key,
            "without store.redis.tls_cert_file",
        ),
        (
            tls,
            vec![(cert, "node.key"), (key, "node.key")],
            cert,
            "node.key: there is no certificate",
        ),
        (
            tls,
            vec![(cert, "node.pem"), (key, "node.pem")],
            key,
            "node.pem: there is no private key",
        ),
        (
            tls,
            vec![(cert, "node.pem"), (key, "server.key")],
            key,
            "server.key: it is the key of another certificate",
        ),
        ("redis://h", vec![(ca, "ca.pem")], ca, "without TLS"),
    ] {
        let said = complaint(url, &files(made.path(), &settings));
        assert!(
            said.contains(&format!("--set: store.redis.{wrong} ")),
            "{said}"
        );
        assert!(said.contains(why), "{why}: {said}");
    }
    // All is well with those that belong together.
    let good = [(ca, "ca.pem"), (cert, "node.pem"), (key, "node.key")];
    let good = files(made.path(), &good);
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    let arguments = [&["config", "show"], &good[..]].concat();
    let shown = run_with(&arguments, &[(URL, tls)]).ok();
    assert!(shown.contains(&at("node.key")), "{shown}");
    // A key in place of its file is not repeated.
    let pem = fs::read_to_string(at("node.key")).unwrap();
    let said = complaint(
        tls,
        &["--set".to_owned(), format!("store.redis.{key}={pem}")],
    );
    let secret = pem.lines().nth(1).unwrap();
    assert!(said.contains("not what is in it"), "{said}");
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn the_password_of_sentinels_is_never_shown_and_needs_sentinels() {
    let (user, password) = (
        "store.redis.sentinel_user=watch",
        "store.redis.sentinel_password=do-not-tell",
    );
    let set = |settings: &[&str]| -> Vec<String> {
        let each = settings.iter();
        each.flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()])
            .collect()
    };
    let sentinels = "redis+sentinel://a,b/main";
    let variables = [
        (URL, sentinels),
        ("STREAMGATE_STORE_REDIS_SENTINEL_PASSWORD", "do-not-tell"),
    ];
    let shown = run_with(&["config", "show", "--set", user], &variables).ok();
    assert!(shown.contains("sentinel_user = \"watch\""), "{shown}");
    assert!(shown.contains("sentinel_password = \"***\""), "{shown}");
    assert!(!shown.contains("do-not-tell"), "{shown}");
    for (url, settings, why) in [
        (
            sentinels,
            set(&[user]),
            "without store.redis.sentinel_password",
        ),
        ("redis://h", set(&[password]), "names no sentinels"),
    ] {
        let said = complaint(url, &settings);
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("do-not-tell"), "{said}");
    }
    // A number is no text in a file, and may be a password all the same.
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("s.toml");
    fs::write(&file, "[store.redis]\nsentinel_password = 40961\n").unwrap();
    let said = complaint(
        sentinels,
        &["--config".to_owned(), file.display().to_string()],
    );
    assert!(
        said.contains("store.redis.sentinel_password must be text"),
        "{said}"
    );
    assert!(!said.contains("40961"), "{said}");
}
