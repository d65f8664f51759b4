//! Backup and restore on the real process: under load, and when a disk, a client or the server
//! gives up.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use streamgate_testkit::proxy::tcp::{Disturbance, Proxy};
use streamgate_testkit::{Client, Server, eventually, run, streamgate};
use tempfile::TempDir;

use super::disk_faults::{large, on_a_volume};

/// Players, each with users of its own.
const PLAYERS: u64 = 8;

/// Starts of [`large`] that make a backup of 25 MB: more than socket buffers hold, and less than the
/// 32 MiB at which a snapshot would replace the log.
const MANY: u64 = 6_000;

/// How many starts a stop lags behind.
const LAG: u64 = 5;

/// Call `count` of a player: the user, and whether its session starts or stops.
fn nth_call(player: u64, count: u64) -> (String, bool) {
    match (count.is_multiple_of(2), count / 2) {
        (true, nth) => (format!("p{player}-{nth}"), true),
        // Two of three are stopped, a while after their start.
        (false, nth) if nth >= LAG && nth % 3 != 0 => (format!("p{player}-{}", nth - LAG), false),
        (false, nth) => (format!("p{player}-more-{nth}"), true),
    }
}

/// Whether these users have a live session after some number of calls of a player.
fn is_a_state(player: u64, found: &BTreeSet<String>, mut counts: RangeInclusive<u64>) -> bool {
    let mut live = BTreeSet::new();
    for count in 0..*counts.start() {
        make_call(player, count, &mut live);
    }
    counts.any(|count| {
        let is_it = live == *found;
        make_call(player, count, &mut live);
        is_it
    })
}

fn make_call(player: u64, count: u64, live: &mut BTreeSet<String>) {
    match nth_call(player, count) {
        (user, true) => live.insert(user),
        (user, false) => live.remove(&user),
    };
}

async fn play(address: SocketAddr, player: u64, answered: Arc<AtomicU64>, end: Arc<AtomicBool>) {
    let mut client = Client::connect(address).await.unwrap();
    for count in 0.. {
        if end.load(Ordering::SeqCst) {
            return;
        }
        let (user, is_start) = nth_call(player, count);
        let status = if is_start {
            client.start(&user, "s").await.unwrap().status
        } else {
            client.stop(&user, "s").await.unwrap().status
        };
        assert_eq!(status, if is_start { 201 } else { 204 }, "{user}");
        answered.store(count + 1, Ordering::SeqCst);
    }
}

/// A restored server has the calls of each player up to one of them, and all that were answered
/// before the backup began.
async fn check(address: SocketAddr, before: &[u64], after: &[u64]) {
    let live = Client::connect(address)
        .await
        .unwrap()
        .all_live()
        .await
        .unwrap();
    for player in 0..PLAYERS {
        let index = usize::try_from(player).unwrap();
        let prefix = format!("p{player}-");
        let users = live.iter().map(|(user, _)| user.clone());
        let found: BTreeSet<String> = users.filter(|user| user.starts_with(&prefix)).collect();
        // One call more than was answered may have been made.
        let possible = before[index]..=after[index] + 1;
        assert!(
            is_a_state(player, &found, possible.clone()),
            "player {player}: {} live users were the state after none of {possible:?}",
            found.len()
        );
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_of_a_backup_under_load_is_a_state_between_its_begin_and_its_end() {
    let base = TempDir::new().unwrap();
    let small = ["--set", "store.snapshot_min_log_bytes=65536"];
    let server = Server::start_with(&base.path().join("data"), &small);
    let end = Arc::new(AtomicBool::new(false));
    let counts: Vec<Arc<AtomicU64>> = (0..PLAYERS).map(|_| Arc::default()).collect();
    let players: Vec<_> = (0..PLAYERS)
        .zip(&counts)
        .map(|(player, count)| {
            let (count, end) = (Arc::clone(count), Arc::clone(&end));
            tokio::spawn(play(server.address, player, count, end))
        })
        .collect();
    let counted = || -> Vec<u64> { counts.iter().map(|it| it.load(Ordering::SeqCst)).collect() };
    let mut backups = Vec::new();
    for number in 0..4 {
        let target = counted()[0] + 100;
        while counted()[0] < target {
            tokio::task::yield_now().await;
        }
        let dir = base.path().join(format!("backup-{number}"));
        let before = counted();
        let arguments = [
            "store",
            "backup",
            text(&dir),
            "--json",
            "--url",
            &server.url(),
        ]
        .map(ToOwned::to_owned);
        let ran = tokio::task::spawn_blocking(move || {
            run(&arguments.each_ref().map(String::as_str)).json()
        });
        let report: Value = ran.await.unwrap();
        assert!(report["live_sessions"].as_u64() > Some(0), "{report}");
        backups.push((dir, before, counted()));
    }
    end.store(true, Ordering::SeqCst);
    for player in players {
        player.await.unwrap();
    }
    server.kill();
    for (dir, before, after) in backups {
        let data = TempDir::new().unwrap();
        let said = run(&[
            "store",
            "restore",
            text(&dir),
            "--data-dir",
            text(data.path()),
        ])
        .ok();
        assert!(said.contains("for one lease"), "{said}");
        let restored = Server::start(data.path());
        check(restored.address, &before, &after).await;
    }
}

/// What a restore means for players: a session of the backup goes on, one that was stopped since is
/// back for a lease, and one that was started since is unknown.
#[test]
fn after_a_restore_players_of_the_backup_go_on_and_later_ones_start_again() {
    let base = TempDir::new().unwrap();
    let server = Server::start(&base.path().join("data"));
    let start = |server: &Server, session: &str| {
        let path = format!("/v1/users/u/sessions/{session}");
        server.call("PUT", &path, None).status
    };
    assert_eq!(
        (start(&server, "kept"), start(&server, "stopped")),
        (201, 201)
    );
    let dir = base.path().join("backup");
    run(&["store", "backup", text(&dir), "--url", &server.url()]).ok();
    assert_eq!(start(&server, "later"), 201);
    let stop = server.call("DELETE", "/v1/users/u/sessions/stopped", None);
    assert_eq!(stop.status, 204);
    server.kill();

    let data = base.path().join("restored");
    run(&["store", "restore", text(&dir), "--data-dir", text(&data)]).ok();
    let server = Server::start(&data);
    let beat = |session: &str| {
        let path = format!("/v1/users/u/sessions/{session}/heartbeat");
        server.call("POST", &path, None).status
    };
    assert_eq!(
        (beat("kept"), beat("stopped"), beat("later")),
        (200, 200, 404)
    );
    assert_eq!(start(&server, "later"), 201);
}

/// A server with a backup that is larger than the socket buffers.
async fn with_much_data(dir: &Path, arguments: &[&str]) -> Server {
    let server = Server::start_with(dir, arguments);
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let address = server.address;
            tokio::spawn(async move {
                let mut client = Client::connect(address).await.unwrap();
                for user in (task..MANY).step_by(32) {
                    let path = format!("/v1/users/u{user}/sessions/s");
                    let answer = client.send("PUT", &path, Some(&large())).await.unwrap();
                    assert_eq!(answer.status, 201, "{answer:?}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    server
}

/// Asks for a backup and reads the head of the answer, and no more.
fn stalled_client(address: SocketAddr) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /admin/backup HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let mut reader = BufReader::with_capacity(512, stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    reader
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_no_further_is_cut_off_and_its_place_is_free_again() {
    let base = TempDir::new().unwrap();
    let timeout = ["--set", "http.write_timeout_s=5"];
    let mut server = with_much_data(&base.path().join("data"), &timeout).await;
    let stalled = stalled_client(server.address);
    let dir = base.path().join("backup");
    let second = run(&["store", "backup", text(&dir), "--url", &server.url()]).failed(1);
    assert!(second.contains("backup_running"), "{second}");
    server.wait_for_log("the backup was not sent to its end");
    run(&["store", "backup", text(&dir), "--url", &server.url()]).ok();
    drop(stalled);
    // And one that goes away.
    let gone = stalled_client(server.address);
    drop(gone);
    server.wait_for_log("the backup was not sent to its end");
    let other = base.path().join("other");
    run(&["store", "backup", text(&other), "--url", &server.url()]).ok();
}

/// A proxy holds the pieces back, so that the server is killed while the client writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_the_middle_leaves_no_backup() {
    let base = TempDir::new().unwrap();
    let server = with_much_data(&base.path().join("data"), &[]).await;
    let proxy = Proxy::before(server.address.port(), 1, 1).await;
    proxy.set(Disturbance::Slow);
    let out = TempDir::new().unwrap();
    let dir = out.path().join("backup");
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let mut command = streamgate(&["store", "backup", text(&dir), "--url", &url]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let client = command.spawn().unwrap();
    let first = out.path().join("backup.partial/log-0000000000000001.sg");
    eventually("the client writes", || first.exists());
    server.kill();
    let ended = tokio::task::spawn_blocking(|| client.wait_with_output());
    let Output { status, stderr, .. } = ended.await.unwrap().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(69), "{stderr}");
    assert!(stderr.contains("the backup was not received"), "{stderr}");
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
    // The directory is as after any kill.
    Server::start(&base.path().join("data"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_at_the_client_leaves_no_backup_and_the_server_goes_on() {
    let base = TempDir::new().unwrap();
    let server = with_much_data(&base.path().join("data"), &[]).await;
    let out = TempDir::new().unwrap();
    let script = format!(
        "{binary} store backup {dir}/backup --url {url}; echo \"code $?\"; ls -A {dir}",
        binary = env!("CARGO_BIN_EXE_streamgate"),
        dir = out.path().display(),
        url = server.url(),
    );
    let ran = on_a_volume("8m", out.path(), &script).output().unwrap();
    let (said, why) = (String::from_utf8(ran.stdout), String::from_utf8(ran.stderr));
    let why = why.unwrap();
    assert_eq!(said.unwrap(), "code 74\n", "{why}");
    assert!(why.contains("No space left on device"), "{why}");
    let dir = base.path().join("backup");
    run(&["store", "backup", text(&dir), "--url", &server.url()]).ok();
}

#[test]
fn a_server_does_not_start_from_a_backup() {
    let base = TempDir::new().unwrap();
    let server = Server::start(&base.path().join("data"));
    let dir = base.path().join("backup");
    run(&["store", "backup", text(&dir), "--url", &server.url()]).ok();
    let again = run(&["store", "backup", text(&dir), "--url", &server.url()]).failed(1);
    assert!(again.contains("exists already"), "{again}");
    let refused = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", text(&dir)]).failed(74);
    assert!(refused.contains("is a backup"), "{refused}");
    run(&["store", "check", text(&dir)]).ok();
    let body = json!({"limit": 1});
    assert_eq!(server.call("PUT", "/v1/users/u", Some(&body)).status, 200);
}
