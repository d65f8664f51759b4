//! Redis with TLS, passwords and client certificates, and settings of them that cannot work.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use streamgate_testkit::{
    Certificates, Redis, Server, eventually, pause, run_with, serve_arguments, streamgate,
};
use tempfile::TempDir;

/// The variable that keeps the password out of the command line.
const URL: &str = "STREAMGATE_STORE_URL";

/// A Redis server that speaks nothing but TLS, asks for a certificate, and knows one user.
fn redis(made: &Certificates) -> Redis {
    let rights = [">do@not-tell", "~sg:*", "+@all"];
    let users = [
        &["--user", "gate", "on"],
        &rights[..],
        &["--user", "default", "off"],
    ];
    Redis::start_tls(made, "yes", &users.concat())
}

/// Arguments that set files, each in a directory.
fn files(made: &Certificates, files: &[(&str, &str)]) -> Vec<String> {
    files
        .iter()
        .flat_map(|(setting, file)| {
            let file = made.path(file);
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
fn a_node_presents_its_certificate_and_trusts_only_the_configured_ca() {
    let made = Certificates::make();
    let redis = redis(&made);
    let data = TempDir::new().unwrap();
    let address = format!("127.0.0.1:{}", redis.port);
    let url = format!("rediss://gate:do%40not-tell@{address}");
    let own = [
        ("tls_cert_file", "client.pem"),
        ("tls_key_file", "client.key"),
    ];
    let trusting = |ca| files(&made, &[&own[..], &[("tls_ca_file", ca)]].concat());

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
    let made = Certificates::make();
    let mut redis = redis(&made);
    let port = redis.port;
    let data = TempDir::new().unwrap();
    let url = format!("rediss://gate:do%40not-tell@127.0.0.1:{port}");
    let trusted = made.path("trusted.pem");
    let trust = |ca: &str| fs::copy(made.path(ca), &trusted).unwrap();
    trust("ca.pem");
    let own = [
        ("tls_ca_file", "trusted.pem"),
        ("tls_cert_file", "client.pem"),
        ("tls_key_file", "client.key"),
    ];
    let mut server = Server::spawn(node(data.path(), &url, &files(&made, &own)));
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
    // The node trusts an authority that knows nothing of the server: once its connection is gone,
    // it finds none that it may use.
    trust("other.pem");
    server.signal(Signal::HUP);
    let line = server.wait_for_log("SIGHUP: the settings were read again");
    assert!(line.contains("store.redis.tls_ca_file"), "{line}");
    redis.restart();
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
fn each_unusable_tls_file_is_named_with_its_setting() {
    let made = Certificates::make();
    let at = |file: &str| made.path(file).display().to_string();
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
            vec![(cert, "client.pem")],
            cert,
            "without store.redis.tls_key_file",
        ),
        (
            tls,
            vec![(key, "client.key")],
            key,
            "without store.redis.tls_cert_file",
        ),
        (
            tls,
            vec![(cert, "client.key"), (key, "client.key")],
            cert,
            "client.key: there is no certificate",
        ),
        (
            tls,
            vec![(cert, "client.pem"), (key, "client.pem")],
            key,
            "client.pem: there is no private key",
        ),
        (
            tls,
            vec![(cert, "client.pem"), (key, "server.key")],
            key,
            "server.key: it is the key of another certificate",
        ),
        ("redis://h", vec![(ca, "ca.pem")], ca, "without TLS"),
    ] {
        let said = complaint(url, &files(&made, &settings));
        assert!(
            said.contains(&format!("--set: store.redis.{wrong} ")),
            "{said}"
        );
        assert!(said.contains(why), "{why}: {said}");
    }
    // All is well with those that belong together.
    let good = [(ca, "ca.pem"), (cert, "client.pem"), (key, "client.key")];
    let good = files(&made, &good);
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    let arguments = [&["config", "show"], &good[..]].concat();
    let shown = run_with(&arguments, &[(URL, tls)]).ok();
    assert!(shown.contains(&at("client.key")), "{shown}");
    // A key in place of its file is not repeated.
    let pem = fs::read_to_string(at("client.key")).unwrap();
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
