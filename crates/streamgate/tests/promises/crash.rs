//! Promises 2 and 5: acknowledged calls survive `kill -9`, and nothing is invented.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use streamgate_testkit::{Client, Server, session_ids};
use tempfile::TempDir;

const CRASHES: u64 = 25;
const PLAYERS: usize = 16;

/// What players know of the sessions they asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// The start was acknowledged, and no stop was sent.
    Live,
    /// The stop was acknowledged.
    Stopped,
    /// A call was sent and never answered: either is right.
    InDoubt,
}

type Book = Arc<Mutex<BTreeMap<(String, String), Known>>>;

/// Starts and stops sessions until the server is gone, and keeps book.
async fn play(
    address: std::net::SocketAddr,
    player: usize,
    life: u64,
    book: Book,
    acks: Arc<AtomicU64>,
) {
    let Ok(mut client) = Client::connect(address).await else {
        return;
    };
    let note = |user: &str, session: &str, known| {
        book.lock()
            .unwrap()
            .insert((user.to_owned(), session.to_owned()), known);
    };
    for i in 0_u64.. {
        let user = format!("p{player}-{}", i % 50);
        let session = format!("life{life}-{i}");
        note(&user, &session, Known::InDoubt);
        let Ok(started) = client.start(&user, &session).await else {
            return;
        };
        match started.status {
            201 => note(&user, &session, Known::Live),
            409 => note(&user, &session, Known::Stopped),
            _ => panic!("{started:?}"),
        }
        acks.fetch_add(1, Ordering::SeqCst);
        let active = started.json()["active"].as_u64().unwrap();
        assert!(active <= 3, "{started:?}");
        // Stop two of three, so that users neither fill up nor stay empty.
        if started.status == 201 && i % 3 != 0 {
            note(&user, &session, Known::InDoubt);
            let Ok(stopped) = client.stop(&user, &session).await else {
                return;
            };
            assert_eq!(stopped.status, 204, "{stopped:?}");
            note(&user, &session, Known::Stopped);
            acks.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Holds what the server has against the book, and settles what was in doubt.
async fn check(address: std::net::SocketAddr, book: &Book) {
    let mut client = Client::connect(address).await.unwrap();
    let live: BTreeSet<(String, String)> = client.all_live().await.unwrap().into_iter().collect();
    let mut per_user: BTreeMap<&str, usize> = BTreeMap::new();
    for (user, _) in &live {
        *per_user.entry(user).or_default() += 1;
    }
    assert!(
        per_user.values().all(|sessions| *sessions <= 3),
        "over the limit: {per_user:?}"
    );
    let mut book = book.lock().unwrap();
    for session in &live {
        assert!(book.contains_key(session), "{session:?} was invented");
    }
    for (session, known) in book.iter_mut() {
        match known {
            Known::Live => assert!(live.contains(session), "{session:?} was lost"),
            Known::Stopped => assert!(!live.contains(session), "{session:?} was stopped"),
            Known::InDoubt => {
                *known = if live.contains(session) {
                    Known::Live
                } else {
                    Known::Stopped
                };
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_calls_survive_25_kills_under_load() {
    let dir = TempDir::new().unwrap();
    let book = Book::default();
    for life in 0..CRASHES {
        // A small log, so that some of the kills meet a snapshot.
        let server =
            Server::start_with(dir.path(), &["--set", "store.snapshot_min_log_bytes=65536"]);
        check(server.address, &book).await;
        let acks = Arc::new(AtomicU64::new(0));
        let tasks: Vec<_> = (0..PLAYERS)
            .map(|player| {
                tokio::spawn(play(
                    server.address,
                    player,
                    life,
                    book.clone(),
                    acks.clone(),
                ))
            })
            .collect();
        // A different moment in every life.
        let enough = 200 + life * 97;
        while acks.load(Ordering::SeqCst) < enough {
            tokio::task::yield_now().await;
        }
        server.kill();
        for task in tasks {
            task.await.unwrap();
        }
    }
    let server = Server::start(dir.path());
    check(server.address, &book).await;
    assert!(
        book.lock()
            .unwrap()
            .values()
            .filter(|known| **known == Known::Live)
            .count()
            > 100
    );
}

/// Promise 5: a player that is still watching keeps its slot, with one lease of grace and no more.
#[tokio::test]
async fn after_a_kill_live_sessions_have_one_lease_of_grace() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let mut client = Client::connect(server.address).await.unwrap();
    for session in ["a", "b", "c"] {
        assert_eq!(client.start("u", session).await.unwrap().status, 201);
    }
    client.set_limit("v", 1).await.unwrap();
    server.kill();

    let server = Server::start(dir.path());
    let mut client = Client::connect(server.address).await.unwrap();
    let listed = client
        .send("GET", "/v1/users/u/sessions", None)
        .await
        .unwrap();
    assert_eq!(session_ids(&listed.json()["sessions"]), ["a", "b", "c"]);
    let refused = client.start("u", "d").await.unwrap();
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (409, "limit_reached")
    );
    for session in ["a", "b", "c"] {
        let renewed = client.heartbeat("u", session).await.unwrap();
        assert_eq!(renewed.status, 200, "{renewed:?}");
        assert_eq!(
            renewed.json().get("revived"),
            None,
            "it was live all the time"
        );
    }
    let user = client.send("GET", "/v1/users/v", None).await.unwrap();
    assert_eq!(user.json()["limit"], 1);
}
