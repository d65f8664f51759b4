//! `streamgate store` on real directories.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use streamgate_testkit::{Ran, Server, run, run_with, serve_arguments};
use tempfile::TempDir;

/// A directory with a history: five users with a session each.
fn served_dir() -> TempDir {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    for user in 0..5 {
        let path = format!("/v1/users/user-{user}/sessions/tv");
        assert_eq!(server.call("PUT", &path, Some(&json!({}))).status, 201);
    }
    assert!(server.terminate().status.success());
    dir
}

fn store(command: &str, dir: &Path) -> Ran {
    run(&["store", command, "--data-dir", dir.to_str().unwrap()])
}

/// The file of the log that holds the history: the one in which a user's id stands.
fn log_file(dir: &Path) -> PathBuf {
    let mut files = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path());
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        path.is_file() && bytes.windows(6).any(|part| part == b"user-0")
    };
    files.find(holds).expect("a file holds the history")
}

/// Changes a letter in the middle of the history.
fn damage(dir: &Path) {
    let path = log_file(dir);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(6).position(|part| part == b"user-1").unwrap();
    bytes[at] ^= 0xff;
    fs::write(&path, bytes).unwrap();
}

#[test]
fn dynamodb_commands_need_a_build_with_dynamodb() {
    let where_to = ["--region", "eu-west-1", "--endpoint", "nowhere"];
    let create = run(&[&["store", "create-table", "table"], &where_to[..]].concat());
    let check = run(&["config", "check", "--set", "store.url=dynamodb://table"]);
    if cfg!(feature = "dynamodb") {
        assert!(create.failed(74).contains("http://"));
        check.ok();
    } else {
        assert!(create.failed(2).contains("this build has no DynamoDB"));
        assert!(check.failed(2).contains("--features dynamodb"));
    }
}

#[test]
fn a_sound_directory_is_sound_and_counted() {
    let dir = served_dir();
    let checked = store("check", dir.path()).ok();
    assert!(
        checked.contains("5 users") && checked.contains("sound"),
        "{checked}"
    );
    let figures = store("stats", dir.path()).ok();
    assert!(figures.contains("live sessions   5"), "{figures}");
    let repaired = store("repair", dir.path()).ok();
    assert!(repaired.contains("nothing was done"), "{repaired}");
    // The directory of the settings is the one that counts where none is named.
    let of_settings = [("STREAMGATE_DATA_DIR", dir.path().to_str().unwrap())];
    assert_eq!(run_with(&["store", "stats"], &of_settings).ok(), figures);
    assert_eq!(
        run(&["store", "stats", dir.path().to_str().unwrap()]).ok(),
        figures
    );
}

#[test]
fn damage_is_found_named_and_repaired() {
    let dir = served_dir();
    damage(dir.path());
    let refused = run(&serve_arguments(dir.path())).failed(74);
    let file = log_file(dir.path());
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(
        refused.contains(name) && refused.contains("store repair"),
        "{refused}"
    );

    let checked = store("check", dir.path());
    assert!(checked.stdout.contains(name), "{checked:?}");
    assert!(checked.failed(1).contains("hint: copy the directory first"));

    let repaired = store("repair", dir.path()).ok();
    assert!(repaired.contains("damaged-1"), "{repaired}");
    store("check", dir.path()).ok();
    let server = Server::start(dir.path());
    assert_eq!(server.call("GET", "/v1/users", None).status, 200);
}

#[test]
fn a_directory_in_use_or_not_there_is_said_so() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let path = dir.path().to_str().unwrap();
    for said in [
        store("check", dir.path()).failed(74),
        run(&serve_arguments(dir.path())).failed(74),
    ] {
        let holder = format!("process {}", server.pid());
        assert!(said.contains(path) && said.contains(&holder), "{said}");
        assert!(said.contains("hint: stop the server"), "{said}");
    }
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
    let said = store("stats", &dir.path().join("not-there")).failed(74);
    assert!(said.contains("not-there"), "{said}");
    assert!(
        !dir.path().join("not-there").exists(),
        "looking makes nothing"
    );
}
