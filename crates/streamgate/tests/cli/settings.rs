//! Settings through the binary: what wins, what is wrong, what is shown.
//!
//! Every kind of value and every error has its test beside the code (`src/config/tests.rs`); here
//! is that the sources of a real process reach it.

use std::fs;
use std::path::Path;

use streamgate_testkit::{Server, repository, run, run_with, serve_arguments, streamgate};
use tempfile::TempDir;

/// The value of a setting and where it came from, as `config show` prints them.
fn shown(setting: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run_with(&[&["config", "show"], arguments].concat(), variables).ok();
    let line = output.lines().find(|line| line.starts_with(setting));
    let line = line.unwrap_or_else(|| panic!("no {setting} in\n{output}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn file(dir: &Path, text: &str) -> String {
    let path = dir.join("streamgate.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_flag_wins_over_the_environment_and_the_environment_over_the_file() {
    let dir = TempDir::new().unwrap();
    let path = file(dir.path(), "# a comment\n[policy]\nlease_s = 70\n");
    let from_file = ["--config", &path];
    let from_flag = ["--config", &path, "--set", "policy.lease_s=50"];
    let variable = [("STREAMGATE_POLICY_LEASE_S", "60")];
    assert_eq!(shown("lease_s", &[], &[]), "lease_s = 90 # default");
    assert_eq!(
        shown("lease_s", &from_file, &[]),
        format!("lease_s = 70 # {path}:3")
    );
    assert_eq!(
        shown("lease_s", &from_file, &variable),
        "lease_s = 60 # environment STREAMGATE_POLICY_LEASE_S"
    );
    assert_eq!(
        shown("lease_s", &from_flag, &variable),
        "lease_s = 50 # --set"
    );
    let named = [("STREAMGATE_CONFIG", path.as_str())];
    assert_eq!(
        shown("lease_s", &[], &named),
        format!("lease_s = 70 # {path}:3")
    );
    let filter = [("STREAMGATE_LOG_FILTER", "warn"), ("RUST_LOG", "debug")];
    assert_eq!(
        shown("filter", &[], &filter),
        "filter = \"debug\" # environment RUST_LOG"
    );
}

#[test]
fn all_wrong_settings_are_reported_together() {
    let dir = TempDir::new().unwrap();
    let path = file(
        dir.path(),
        "listen = 8080\n[policy]\nlease_s = 1\n[plans.a]\nlimits = 2\n",
    );
    let arguments = [
        "config",
        "check",
        "--config",
        &path,
        "--set",
        "log.format=x",
    ];
    let variables = [
        ("STREAMGATE_HTTP_MAX_CONNECTIONS", "0"),
        ("STREAMGATE_LISTN", "x"),
    ];
    let said = run_with(&arguments, &variables).failed(1);
    for expected in [
        "7 settings are wrong",
        &format!("{path}:1: listen must be text, is 8080"),
        &format!("{path}:3: policy.lease_s must be 5 to 86400, is 1"),
        &format!("{path}:4: plans.a.limit is missing"),
        &format!("{path}:5: plans.a.limits is no setting; did you mean plans.a.limit?"),
        "environment STREAMGATE_HTTP_MAX_CONNECTIONS: http.max_connections must be 1 to \
         1000000, is 0",
        "environment STREAMGATE_LISTN: is no setting; did you mean STREAMGATE_LISTEN?",
        "--set: log.format must be \"human\" or \"json\", is \"x\"",
        "hint: `streamgate config default`",
    ] {
        assert!(said.contains(expected), "{expected}\nis not in\n{said}");
    }
    let serve = [&["serve"], &arguments[2..]].concat();
    let of_serve = run_with(&serve, &variables).failed(2);
    assert_eq!(of_serve, said, "serve says the same and exits with 2");
}

#[test]
fn flags_of_serve_are_checked_with_all_other_settings() {
    let said = run(&[
        "serve",
        "--listen",
        "localhost",
        "--durability",
        "always",
        "--log-format",
        "xml",
    ])
    .failed(2);
    for flag in [
        "--listen: listen",
        "--durability: store.",
        "--log-format: log.",
    ] {
        assert!(said.contains(flag), "{flag}\nis not in\n{said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let said = run(&["config", "check", "--config", "/nowhere/streamgate.toml"]).failed(1);
    assert!(
        said.contains("/nowhere/streamgate.toml cannot be read"),
        "{said}"
    );
}

#[test]
fn the_default_file_is_the_committed_one_and_passes_the_check() {
    let printed = run(&["config", "default"]).ok();
    let committed = repository("crates/streamgate/src/config/default.toml");
    assert_eq!(printed, fs::read_to_string(committed).unwrap());
    let dir = TempDir::new().unwrap();
    let path = file(dir.path(), &printed);
    assert_eq!(
        run(&["config", "check", "--config", &path]).ok(),
        "the settings are valid\n"
    );
    let reference = fs::read_to_string(repository("docs/configuration.md")).unwrap();
    assert_eq!(run(&["config", "reference"]).ok(), reference);
}

#[test]
fn a_server_on_an_address_that_others_can_reach_needs_keys_or_a_word() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let said = run(&["serve", "--listen", address]).failed(2);
        for part in [
            "refusing to listen",
            address,
            "key new",
            "--allow-anonymous",
        ] {
            assert!(said.contains(part), "{part}\nis not in\n{said}");
        }
    }
}

/// What a pod sees beside a Service `streamgate` and a Service `streamgate-redis`.
const SERVICE_LINKS: [(&str, &str); 10] = [
    ("STREAMGATE_PORT", "tcp://10.0.0.5:8080"),
    ("STREAMGATE_SERVICE_HOST", "10.0.0.5"),
    ("STREAMGATE_SERVICE_PORT", "8080"),
    ("STREAMGATE_SERVICE_PORT_HTTP", "8080"),
    ("STREAMGATE_PORT_8080_TCP", "tcp://10.0.0.5:8080"),
    ("STREAMGATE_PORT_8080_TCP_PROTO", "tcp"),
    ("STREAMGATE_PORT_8080_TCP_PORT", "8080"),
    ("STREAMGATE_PORT_8080_TCP_ADDR", "10.0.0.5"),
    ("STREAMGATE_REDIS_PORT_6379_TCP", "tcp://10.0.0.6:6379"),
    ("STREAMGATE_REDIS_SERVICE_HOST", "10.0.0.6"),
];

#[test]
fn a_server_starts_beside_a_service_that_has_its_name() {
    let dir = TempDir::new().unwrap();
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.envs(SERVICE_LINKS);
    let server = Server::spawn(command);
    assert_eq!(server.call("GET", "/healthz", None).status, 200);
    assert!(server.terminate().status.success());
    // What is misspelt is still found among them.
    let mut wrong = SERVICE_LINKS.to_vec();
    wrong.extend([("STREAMGATE_LISTN", "x"), ("STREAMGATE_HTTP_PORT", "80")]);
    let said = run_with(&["serve"], &wrong).failed(2);
    assert!(said.contains("2 settings are wrong"), "{said}");
    assert!(said.contains("did you mean STREAMGATE_LISTEN?"), "{said}");
}

#[test]
fn text_in_the_environment_is_trimmed_and_quotes_and_tildes_are_refused() {
    let data_dir = |text: &str| run_with(&["config", "show"], &[("STREAMGATE_DATA_DIR", text)]);
    for text in ["/data", "/data\r", " /data "] {
        assert!(
            data_dir(text).ok().contains("data_dir = \"/data\" "),
            "{text:?}"
        );
    }
    for (text, why) in [
        ("\"/data\"", "quotes"),
        ("'/data'\r", "quotes"),
        ("~/sgdata", "shell"),
    ] {
        let variables = [("STREAMGATE_DATA_DIR", text)];
        let said = run_with(&["serve"], &variables).failed(2);
        assert!(
            said.contains("STREAMGATE_DATA_DIR: data_dir must not") && said.contains(why),
            "{said}"
        );
    }
    for (name, text) in [
        ("STREAMGATE_CONFIG", "~/streamgate.toml"),
        ("STREAMGATE_CONFIG", "\"/streamgate.toml\""),
        ("STREAMGATE_LISTEN", "\"127.0.0.1:0\""),
        ("STREAMGATE_POLICY_LEASE_S", "'90'"),
        ("STREAMGATE_STORE_DURABILITY", "\"os\""),
        ("STREAMGATE_CORS_ALLOWED_ORIGINS", "\"https://a.example\""),
    ] {
        let said = run_with(&["serve"], &[(name, text)]).failed(2);
        assert!(said.contains(name) && said.contains("must not"), "{said}");
    }
}

#[test]
fn text_for_the_client_commands_follows_the_same_rule() {
    for (name, text) in [
        ("STREAMGATE_URL", "'http://127.0.0.1:1'"),
        ("STREAMGATE_KEY", "\"sgk_secret\"\r"),
        ("STREAMGATE_CA_FILE", "\"/ca.pem\""),
        ("STREAMGATE_CA_FILE", "~/ca.pem"),
        ("STREAMGATE_CLIENT_CERT_FILE", "~/client.pem"),
        ("STREAMGATE_CLIENT_KEY_FILE", "'/client.key'"),
    ] {
        let said = run_with(&["users", "list"], &[(name, text)]).failed(2);
        assert!(said.contains(name) && said.contains("must not"), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn a_heartbeat_interval_beyond_the_idle_timeout_is_warned_of() {
    let settings = ["config", "check", "--set", "policy.lease_s=600"];
    let said = run(&settings);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stderr.starts_with("warning: players call every 200 s"),
        "{said:?}"
    );
    assert!(said.stderr.contains("http.header_timeout_s"), "{said:?}");
    run(&[&settings[..], &["--set", "http.header_timeout_s=201"]].concat()).ok();
}

#[test]
fn a_deprecated_name_works_and_the_check_and_the_log_warn_of_it() {
    let dir = TempDir::new().unwrap();
    let path = file(dir.path(), "[store]\nkey_prefix = \"other\"\n");
    let from_file = ["--config", &path];
    let warning = format!("{path}:2: store.key_prefix is deprecated, use store.redis.key_prefix\n");
    let said = run(&[&["config", "check"], &from_file[..]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stderr, format!("warning: {warning}"));
    let in_use = shown("key_prefix", &from_file, &[]);
    assert_eq!(in_use, format!("key_prefix = \"other\" # {path}:2"));
    let variable = ("STREAMGATE_POLICY_LAZINESS_S", "30");
    let said = run_with(&["config", "check"], &[variable]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for part in [
        variable.0,
        "policy.laziness_s is deprecated",
        "STREAMGATE_POLICY_HEARTBEAT_WRITE_INTERVAL_S",
    ] {
        assert!(said.stderr.contains(part), "{said:?}");
    }
    let mut server = Server::start_with(dir.path(), &from_file);
    server.wait_for_log("store.key_prefix is deprecated");
    assert!(server.terminate().status.success());
}
