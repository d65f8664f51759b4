//! Promise 2 on failing disks: whoever cannot write does not acknowledge.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::support::{Server, bare, serve_arguments};

/// The exit code for a store that failed, as `streamgate --help` documents it.
const STORE_FAILED: i32 = 74;

/// The server under `strace`, which makes a system call fail from its `nth` time on.
fn serve_with_failing(call: &str, errno: &str, nth: u32, data_dir: &Path) -> Command {
    let mut command = bare("strace");
    command
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .arg(format!("trace={call}"))
        .arg("-e")
        .arg(format!("inject={call}:error={errno}:when={nth}+"))
        .arg("--")
        .arg(env!("CARGO_BIN_EXE_streamgate"))
        .args(serve_arguments(data_dir));
    command
}

/// Starts sessions until the server stops answering. Those acknowledged, and those in doubt.
async fn start_until_it_fails(server: &Server, life: &str, body: &Value) -> (Vec<String>, String) {
    let mut client = Client::connect(server.address).await.unwrap();
    let mut acknowledged = Vec::new();
    for i in 0..200_000 {
        let user = format!("{life}-{i}");
        let path = format!("/v1/users/{user}/sessions/s");
        match client.send("PUT", &path, Some(body)).await {
            Ok(answer) if answer.status == 201 => acknowledged.push(user),
            Ok(answer) => {
                assert_eq!(answer.status, 503, "{answer:?}");
                return (acknowledged, user);
            }
            Err(_) => return (acknowledged, user),
        }
    }
    panic!("the disk never failed");
}

async fn fails_honestly(call: &str, errno: &str, nth: u32) {
    let dir = TempDir::new().unwrap();
    let server = Server::spawn(serve_with_failing(call, errno, nth, dir.path()));
    let (acknowledged, in_doubt) = start_until_it_fails(&server, "u", &json!({})).await;
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(STORE_FAILED), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("ERROR") || ended.stderr.contains("error"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);

    let server = Server::start(dir.path());
    let mut client = Client::connect(server.address).await.unwrap();
    let live = client.all_live().await.unwrap();
    for user in &acknowledged {
        assert!(
            live.iter().any(|(other, _)| other == user),
            "{user} was lost"
        );
    }
    for (user, _) in &live {
        assert!(
            acknowledged.contains(user) || *user == in_doubt,
            "{user} was invented"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_fdatasync_is_never_acknowledged() {
    fails_honestly("fdatasync", "EIO", 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_write_is_never_acknowledged() {
    fails_honestly("pwrite64", "EIO", 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_at_once_is_never_acknowledged() {
    fails_honestly("pwrite64", "ENOSPC", 25).await;
}

/// A real file system that fills up. It lives in a mount namespace of the server's own and goes
/// with it; in between it is made larger, as an operator would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_full_disk_was_made_larger_everything_acknowledged_is_there() {
    let dir = TempDir::new().unwrap();
    let serve = serve_arguments(dir.path()).join(" ");
    let data_dir = dir.path().display();
    let binary = env!("CARGO_BIN_EXE_streamgate");
    let script = format!(
        "mount -t tmpfs -o size=48m tmpfs {data_dir} || exit 99
         {binary} {serve}
         echo \"first exit code $?\"
         mount -o remount,size=512m {data_dir} || exit 98
         exec {binary} {serve}"
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    let mut server = Server::spawn(command);
    let attributes: serde_json::Map<String, Value> = (0..16)
        .map(|i| (format!("key-{i}"), json!("x".repeat(250))))
        .collect();
    let body = json!({ "attributes": attributes });
    let (acknowledged, in_doubt) = start_until_it_fails(&server, "full", &body).await;
    assert!(
        acknowledged.len() > 1_000,
        "only {} starts filled it",
        acknowledged.len()
    );
    let code = server.wait_for_output("first exit code");
    assert_eq!(code.trim(), format!("first exit code {STORE_FAILED}"));

    server.wait_until_it_listens();
    let mut client = Client::connect(server.address).await.unwrap();
    let live: std::collections::BTreeSet<String> = client
        .all_live()
        .await
        .unwrap()
        .into_iter()
        .map(|(user, _)| user)
        .collect();
    for user in &acknowledged {
        assert!(live.contains(user), "{user} was lost");
    }
    for user in &live {
        assert!(
            user == &in_doubt
                || acknowledged.binary_search(user).is_ok()
                || acknowledged.contains(user),
            "{user} was invented"
        );
    }
    assert_eq!(client.start("after", "s").await.unwrap().status, 201);
}
