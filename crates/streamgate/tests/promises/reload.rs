//! SIGHUP on the real binary: keys, plans and the policy are read again, and nothing else changes.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::json;
use streamgate_server::hash_key;
use streamgate_testkit::{Answer, Server, call};
use tempfile::TempDir;

const TAKEN: &str = "SIGHUP: the settings were read again";
const REFUSED: &str = "SIGHUP: the settings are wrong";
const WAITING: &str = "need a restart";

/// A server with a configuration file that a test rewrites.
struct Reloaded {
    server: Server,
    file: PathBuf,
    dir: TempDir,
}

impl Reloaded {
    fn start(settings: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("streamgate.toml");
        fs::write(&file, settings).unwrap();
        let server = Self::serve(&dir, &file);
        Self { server, file, dir }
    }

    fn serve(dir: &TempDir, file: &Path) -> Server {
        let config = ["--config", file.to_str().unwrap()];
        Server::start_with(&dir.path().join("data"), &config)
    }

    /// The same node after a restart, with the settings that the file has.
    fn restart(self) -> Self {
        let Self { server, file, dir } = self;
        assert!(server.terminate().status.success());
        let server = Self::serve(&dir, &file);
        Self { server, file, dir }
    }

    /// Rewrites the file and sends SIGHUP; the line of the log that has this text.
    fn reload(&mut self, settings: &str, logged: &str) -> String {
        fs::write(&self.file, settings).unwrap();
        self.server.signal(Signal::HUP);
        self.server.wait_for_log(logged)
    }

    fn as_key(&self, key: &str, method: &str, path: &str) -> Answer {
        call(self.server.address, method, path, Some(key), None)
    }
}

fn key(name: &str, text: &str) -> String {
    let sha256 = hash_key(text);
    format!("[[keys]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nscope = \"admin\"\n")
}

#[test]
fn a_reload_replaces_keys() {
    let mut node = Reloaded::start(&key("old", "old"));
    assert_eq!(node.as_key("old", "GET", "/v1/users").status, 200);
    assert_eq!(node.as_key("new", "GET", "/v1/users").status, 401);
    let both = format!("{}{}", key("new", "new"), key("old", "old"));
    let line = node.reload(&both, TAKEN);
    assert!(line.contains("keys"), "{line}");
    for known in ["old", "new"] {
        assert_eq!(
            node.as_key(known, "GET", "/v1/users").status,
            200,
            "{known}"
        );
    }
    node.reload(&key("new", "new"), TAKEN);
    assert_eq!(node.as_key("old", "GET", "/v1/users").status, 401);
    assert_eq!(node.as_key("new", "GET", "/v1/users").status, 200);
}

#[test]
fn keys_are_never_reloaded_to_none() {
    let mut node = Reloaded::start(&key("only", "only"));
    let line = node.reload("", WAITING);
    assert!(line.contains("keys"), "{line}");
    assert_eq!(node.server.call("GET", "/v1/users", None).status, 401);
    assert_eq!(node.as_key("only", "GET", "/v1/users").status, 200);
}

#[test]
fn a_reload_replaces_plans_and_limits() {
    let mut node = Reloaded::start("[plans.basic]\nlimit = 1\n");
    let limit = |node: &Reloaded, user: &str| {
        let path = format!("/v1/users/{user}/sessions");
        node.server.call("GET", &path, None).json()["limit"].clone()
    };
    let basic = json!({ "plan": "basic" });
    let set = node.server.call("PUT", "/v1/users/anna", Some(&basic));
    assert_eq!(set.status, 200, "{set:?}");
    assert_eq!(
        (limit(&node, "anna"), limit(&node, "ben")),
        (json!(1), json!(3))
    );
    let line = node.reload(
        "[plans.basic]\nlimit = 2\n[policy]\ndefault_limit = 7\nheartbeat_interval_s = 11\n",
        TAKEN,
    );
    for changed in [
        "plans.basic.limit",
        "policy.default_limit",
        "policy.heartbeat_interval_s",
    ] {
        assert!(line.contains(changed), "{line}");
    }
    assert_eq!(
        (limit(&node, "anna"), limit(&node, "ben")),
        (json!(2), json!(7))
    );
    let started = node.server.call("PUT", "/v1/users/ben/sessions/tv", None);
    assert_eq!(started.json()["heartbeat_interval_s"], 11);
}

/// Sessions of one user.
const FIVE: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];

fn start(node: &Reloaded, user: &str, session: &str) -> Answer {
    let path = format!("/v1/users/{user}/sessions/{session}");
    node.server.call("PUT", &path, None)
}

fn beat(node: &Reloaded, user: &str, session: &str) -> Answer {
    let path = format!("/v1/users/{user}/sessions/{session}/heartbeat");
    node.server.call("POST", &path, None)
}

/// Asserts that all five sessions of the user go on, and that a start is refused by this limit.
fn assert_kept(node: &Reloaded, user: &str, limit: u32) {
    for session in FIVE {
        let renewed = beat(node, user, session);
        assert_eq!(renewed.status, 200, "limit {limit}: {renewed:?}");
    }
    let refused = start(node, user, "s6");
    let told = refused.json();
    assert_eq!(
        (
            refused.status,
            &told["code"],
            &told["limit"],
            &told["active"]
        ),
        (409, &json!("limit_reached"), &json!(limit), &json!(5)),
    );
}

/// Asserts that each of the five sessions learns at its next heartbeat that the user is blocked.
fn assert_revoked(node: &Reloaded, user: &str) {
    for session in FIVE {
        let ended = beat(node, user, session);
        let told = ended.json();
        assert_eq!(
            (ended.status, &told["code"], &told["reason"]),
            (410, &json!("session_ended"), &json!("revoked")),
        );
    }
    assert_eq!(start(node, user, "s6").json()["active"], 0);
}

#[test]
fn a_limit_lowered_by_the_settings_keeps_live_sessions_and_limit_0_ends_them() {
    let keep = "[policy]\nover_limit = \"keep\"\ndefault_limit = ";
    let mut node = Reloaded::start(&format!("{keep}3\n[plans.family]\nlimit = 5\n"));
    let family = json!({ "plan": "family" });
    for user in ["anna", "ben"] {
        let path = format!("/v1/users/{user}");
        assert_eq!(node.server.call("PUT", &path, Some(&family)).status, 200);
        for session in FIVE {
            assert_eq!(start(&node, user, session).status, 201);
        }
    }
    for (settings, limit) in [
        (format!("{keep}3\n[plans.family]\nlimit = 2\n"), 2),
        // Without its plan a user has the default limit.
        (format!("{keep}3\n"), 3),
    ] {
        node.reload(&settings, TAKEN);
        assert_kept(&node, "anna", limit);
        node = node.restart();
        assert_kept(&node, "anna", limit);
        assert_kept(&node, "ben", limit);
    }
    node.reload(&format!("{keep}0\n"), TAKEN);
    assert_revoked(&node, "anna");
    assert_revoked(&node.restart(), "ben");
}

#[test]
fn settings_that_are_wrong_leave_the_old_ones_in_use() {
    let good = "[plans.basic]\nlimit = 1\n";
    let mut node = Reloaded::start(good);
    let basic = json!({ "plan": "basic" });
    node.server.call("PUT", "/v1/users/anna", Some(&basic));
    for (wrong, named) in [
        ("[plans.basic]\nlimit = 5000\n", "plans.basic.limit"),
        ("[plans.basic\n", "is not valid TOML"),
    ] {
        let line = node.reload(wrong, REFUSED);
        assert!(line.contains("ERROR") && line.contains(named), "{line}");
        assert_eq!(node.server.metric::<u8>("streamgate_settings_refused"), 1);
    }
    fs::remove_file(&node.file).unwrap();
    node.server.signal(Signal::HUP);
    let line = node.server.wait_for_log(REFUSED);
    assert!(line.contains("cannot be read"), "{line}");
    let sessions = node.server.call("GET", "/v1/users/anna/sessions", None);
    assert_eq!(sessions.json()["limit"], 1);
    node.reload(good, TAKEN);
    assert_eq!(node.server.metric::<u8>("streamgate_settings_refused"), 0);
}

#[test]
fn the_page_of_metrics_tells_of_the_volume_of_the_data_directory() {
    let node = Reloaded::start("");
    let size: u64 = node.server.metric("streamgate_data_volume_size_bytes{}");
    let free: u64 = node.server.metric("streamgate_data_volume_free_bytes{}");
    assert!(free > 1 << 20 && free <= size, "{free} of {size}");
}

#[test]
fn what_needs_a_restart_is_named_each_time_until_there_was_one() {
    let mut node = Reloaded::start("");
    let changed = "[http]\nmax_connections = 77\n[log]\nfilter = \"warn,streamgate=info\"\n";
    for _ in 0..2 {
        let line = node.reload(changed, WAITING);
        for name in ["http.max_connections", "log.filter"] {
            assert!(line.contains(name), "{line}");
        }
    }
}

#[test]
fn an_open_server_takes_its_first_keys_in_every_dialect() {
    let mut node = Reloaded::start("");
    let calls = [
        ("GET", "/v1/users"),
        ("GET", "/compat/stream-requests/getallusers"),
        ("GET", "/compat/user-streams/user-streams/anna/tv"),
    ];
    for (method, path) in calls {
        assert_eq!(node.server.call(method, path, None).status, 200, "{path}");
    }
    node.reload(&key("first", "first"), TAKEN);
    for (method, path) in calls {
        assert_eq!(node.server.call(method, path, None).status, 401, "{path}");
        assert_eq!(node.as_key("first", method, path).status, 200, "{path}");
    }
}
