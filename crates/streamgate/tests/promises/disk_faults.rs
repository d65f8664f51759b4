//! Promise 2 on failing disks: a call that cannot be written is not acknowledged.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use serde_json::{Value, json};
use streamgate_clock::Stopwatch;
use streamgate_testkit::{
    Answer, Client, Server, bare, remove_data, serve_arguments, streamgate, tampered,
    until_prepared,
};
use tempfile::TempDir;

/// The exit code for a store that failed, as `streamgate --help` documents it.
const STORE_FAILED: i32 = 74;

/// How long a store may take to find room again, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts sessions until the server stops answering. Those acknowledged, and those in doubt.
pub(crate) async fn start_until_it_fails(
    server: &Server,
    life: &str,
    body: &Value,
) -> (Vec<String>, String) {
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
    let server = streamgate(&serve_arguments(dir.path()));
    let inject = format!("{call}:error={errno}:when={nth}+");
    let server = Server::spawn(tampered(&inject, &server));
    let (acknowledged, in_doubt) = start_until_it_fails(&server, "u", &json!({})).await;
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(STORE_FAILED), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("ERROR") || ended.stderr.contains("error"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);

    holds_what_was_acknowledged(dir.path(), &acknowledged, &in_doubt).await;
}

/// The next start finds what was acknowledged, and nothing that was not asked for.
async fn holds_what_was_acknowledged(dir: &Path, acknowledged: &[String], in_doubt: &str) {
    let server = Server::start(dir);
    let mut client = Client::connect(server.address).await.unwrap();
    let live = client.all_live().await.unwrap();
    for user in acknowledged {
        assert!(
            live.iter().any(|(other, _)| other == user),
            "{user} was lost"
        );
    }
    for (user, _) in &live {
        assert!(
            acknowledged.contains(user) || user == in_doubt,
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

/// With `os` and `none` a call is acknowledged before the disk has it, so the last words differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_words_on_a_failed_disk_promise_what_the_durability_does() {
    const SAFE: &str = "What was acknowledged is safe";
    const IN_DOUBT: &str = "What was acknowledged last may be lost";
    for (durability, said, unsaid) in [
        ("fsync", SAFE, IN_DOUBT),
        ("os", IN_DOUBT, SAFE),
        ("none", IN_DOUBT, SAFE),
    ] {
        let dir = TempDir::new().unwrap();
        let mut server = streamgate(&serve_arguments(dir.path()));
        server.args(["--durability", durability]);
        let server = Server::spawn(tampered("pwrite64:error=EIO:when=30+", &server));
        start_until_it_fails(&server, "u", &json!({})).await;
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(STORE_FAILED), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(said),
            "{durability}: {}",
            ended.stderr
        );
        assert!(
            !ended.stderr.contains(unsaid),
            "{durability}: {}",
            ended.stderr
        );
    }
}

/// From one moment on no write at all succeeds, not even into what was made ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_at_once_is_never_acknowledged() {
    let dir = TempDir::new().unwrap();
    let mut server = streamgate(&serve_arguments(dir.path()));
    server.args(["--set", "engine.deadline_ms=500"]);
    let server = Server::spawn(tampered("pwrite64:error=ENOSPC:when=80+", &server));
    let (acknowledged, in_doubt) = start_until_it_fails(&server, "u", &json!({})).await;
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(STORE_FAILED), "{}", ended.stderr);
    holds_what_was_acknowledged(dir.path(), &acknowledged, &in_doubt).await;
}

/// The attributes of a start that fills a disk quickly.
pub(crate) fn large() -> Value {
    let attributes: serde_json::Map<String, Value> = (0..16)
        .map(|i| (format!("key-{i}"), json!("x".repeat(250))))
        .collect();
    json!({ "attributes": attributes })
}

/// A shell that mounts a tmpfs of this size on the directory, in a mount namespace of its own, and
/// then runs the script. Volume and namespace end with it.
pub(crate) fn on_a_volume(size: &str, dir: &Path, script: &str) -> Command {
    let script = format!(
        "mount -t tmpfs -o mode=700,size={size} tmpfs {} || {{\n\
         echo 'this test needs to mount a tmpfs: run it as root, or allow user namespaces' >&2\n\
         exit 99; }}\n{script}",
        dir.display()
    );
    let mut command = bare("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    command
}

/// The command line that serves a directory, for a shell.
pub(crate) fn serve_command(dir: &Path) -> String {
    let binary = env!("CARGO_BIN_EXE_streamgate");
    format!("{binary} {}", serve_arguments(dir).join(" "))
}

/// A real volume that others fill up, a restart while it is full, and room again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_starts_and_nothing_else_and_heals_by_itself() {
    let dir = TempDir::new().unwrap();
    let serve = serve_command(dir.path());
    let script = format!("{serve}\necho \"first exit code $?\"\nexec {serve}");
    let mut server = Server::spawn(on_a_volume("96m", dir.path(), &script));
    let filler = fill_volume(&server, dir.path());

    let (acknowledged, _) = start_until_it_fails(&server, "u", &large()).await;
    assert!(
        acknowledged.len() > 1_000,
        "only {} fitted",
        acknowledged.len()
    );
    serves_all_but_starts(&server, &acknowledged[..2]);

    let children = format!("/proc/{0}/task/{0}/children", server.pid());
    let children = std::fs::read_to_string(children).unwrap();
    let child = children.trim().parse().unwrap();
    kill_process(Pid::from_raw(child).unwrap(), Signal::TERM).unwrap();
    let code = server.wait_for_output("first exit code");
    assert_eq!(code.trim(), "first exit code 0");
    server.wait_until_it_listens();
    let mut client = Client::connect(server.address).await.unwrap();
    let live = client.all_live().await.unwrap();
    assert_eq!(live.len(), acknowledged.len() - 2, "two were stopped");
    serves_all_but_starts(&server, &acknowledged[2..4]);

    std::fs::remove_file(filler).unwrap();
    until(&server, "/v1/users/late/sessions/s", 201);
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
}

/// The path of a file as the processes of the server see it.
pub(crate) fn in_its_namespace(server: &Server, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", server.pid(), path.display()))
}

/// Fills the volume of a server's data directory. The file that takes its room.
pub(crate) fn fill_volume(server: &Server, dir: &Path) -> PathBuf {
    let dir = in_its_namespace(server, dir);
    until_prepared(&dir);
    let filler = dir.join("filler");
    fill(&filler);
    filler
}

/// Writes until the volume is full.
pub(crate) fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    let block = vec![1; 64 << 10];
    while file.write_all(&block).is_ok() {}
}

/// Stops two users, and asks for all that needs no room; a start is refused with a code of its own.
fn serves_all_but_starts(server: &Server, users: &[String]) {
    let refused = until(server, "/v1/users/new/sessions/s", 503);
    assert_eq!(refused.json()["code"], "store_full", "{refused:?}");
    assert_eq!(refused.header("retry-after"), "10");
    for user in users {
        let path = format!("/v1/users/{user}/sessions/s");
        let renewed = server.call("POST", &format!("{path}/heartbeat"), None);
        assert_eq!(renewed.status, 200, "{renewed:?}");
        assert_eq!(server.call("DELETE", &path, None).status, 204);
        let listed = server.call("GET", &format!("/v1/users/{user}/sessions"), None);
        assert_eq!(listed.json()["active"], 0, "{listed:?}");
    }
    assert_eq!(server.metric::<u8>("streamgate_store_full"), 1);
    assert_eq!(server.call("GET", "/readyz", None).status, 200);
}

/// Starts a session until the answer has this status.
fn until(server: &Server, path: &str, status: u16) -> Answer {
    let waited = Stopwatch::start();
    loop {
        let answer = server.call("PUT", path, None);
        if answer.status == status {
            return answer;
        }
        assert!(waited.elapsed() < PATIENCE, "{answer:?}");
    }
}

#[test]
fn a_volume_that_is_too_small_is_refused_with_the_size_that_is_needed() {
    let dir = TempDir::new().unwrap();
    let script = format!("exec {}", serve_command(dir.path()));
    let refused = Server::spawn_logging(on_a_volume("40m", dir.path(), &script)).wait();
    assert_eq!(
        refused.status.code(),
        Some(STORE_FAILED),
        "{}",
        refused.stderr
    );
    let words = "the volume has 40 MiB, and Streamgate needs at least 64 MiB";
    assert!(refused.stderr.contains(words), "{}", refused.stderr);
}

/// Lets the data directory of a server go away: the server ends within seconds, without a further
/// call, and does not promise that anything is safe.
#[track_caller]
fn ends_once_it_is_gone(server: Server, go_away: impl FnOnce(&Server)) {
    let started = server.call("PUT", "/v1/users/u/sessions/s", None);
    assert_eq!(started.status, 201, "{started:?}");
    go_away(&server);
    let waited = Stopwatch::start();
    let ended = server.wait();
    let waited = waited.elapsed();
    assert_eq!(ended.status.code(), Some(STORE_FAILED), "{}", ended.stderr);
    assert!(ended.stderr.contains("is gone"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("is safe"), "{}", ended.stderr);
    // It looks every second.
    assert!(waited < Duration::from_secs(10), "{waited:?}");
}

#[test]
fn a_data_directory_that_goes_away_ends_the_server_and_its_last_words_promise_nothing() {
    let parent = TempDir::new().unwrap();
    let (dir, elsewhere) = (parent.path().join("data"), parent.path().join("elsewhere"));
    let is_removed = |_: &Server| remove_data(&dir);
    ends_once_it_is_gone(Server::start(&dir), is_removed);
    let is_renamed = |_: &Server| std::fs::rename(&dir, &elsewhere).unwrap();
    ends_once_it_is_gone(Server::start(&dir), is_renamed);
    // What was renamed is whole, and can be served again.
    let found = Server::start(&elsewhere);
    let listed = found.call("GET", "/v1/users/u/sessions", None);
    assert_eq!(listed.json()["active"], 1, "{listed:?}");
}

/// Told to stop before its next look at the directory: what it syncs then has no name any more.
#[test]
fn a_stop_right_after_the_data_directory_went_away_does_not_say_that_all_is_on_disk() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("data");
    let server = Server::start(&dir);
    let started = server.call("PUT", "/v1/users/u/sessions/s", None);
    assert_eq!(started.status, 201, "{started:?}");
    remove_data(&dir);
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(STORE_FAILED), "{}", ended.stderr);
    assert!(ended.stderr.contains("is gone"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("on disk"), "{}", ended.stderr);
}

#[test]
fn a_volume_that_is_unmounted_ends_the_server_and_its_last_words_promise_nothing() {
    let dir = TempDir::new().unwrap();
    let script = format!("exec {}", serve_command(dir.path()));
    let server = Server::spawn(on_a_volume("96m", dir.path(), &script));
    ends_once_it_is_gone(server, |server| {
        // In its namespaces. The volume itself stays for as long as its files are open.
        let mut unmount = bare("nsenter");
        unmount
            .args(["--user", "--preserve-credentials", "--mount"])
            .args(["--target", &server.pid().to_string()])
            .args(["umount", "--lazy"])
            .arg(dir.path());
        let unmounted = unmount.output().unwrap();
        assert!(unmounted.status.success(), "{unmounted:?}");
    });
}

#[test]
fn a_data_directory_that_others_may_read_is_warned_of() {
    let dir = TempDir::new().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let ended = Server::start(dir.path()).terminate();
    assert!(ended.stderr.contains("chmod 700"), "{}", ended.stderr);
}
