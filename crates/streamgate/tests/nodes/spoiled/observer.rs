//! The observer of a storm: compares what players were told with what is stored, during the storm
//! and after it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::{Answer, Client};

use super::player::{Account, Known};
use super::{LIMIT, RECOVERY_MAX, user_name};

/// Asks the clean node for one list after another, and compares each with what players were told
/// before and after; returns how many.
pub(super) async fn observe(
    clean: SocketAddr,
    accounts: Vec<Arc<Mutex<Account>>>,
    is_over: Arc<AtomicBool>,
) -> usize {
    let mut client = Client::connect(clean).await.unwrap();
    let mut lists = 0;
    while !is_over.load(Ordering::Relaxed) {
        for (user, account) in accounts.iter().enumerate() {
            let (were_live, stopped) = {
                let account = account.lock().unwrap();
                (account.live.clone(), account.stopped.clone())
            };
            let user = user_name(user);
            let live = live_of(&mut client, &user).await;
            assert!(live.is_disjoint(&stopped), "{user}: {live:?} {stopped:?}");
            let still: BTreeSet<_> = {
                let account = account.lock().unwrap();
                were_live.intersection(&account.live).cloned().collect()
            };
            assert!(still.is_subset(&live), "{user}: {still:?}, {live:?}");
            lists += 1;
            // Two cores are to be left to the storm.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    lists
}

/// The live sessions of a user: never more than the limit, none twice.
async fn live_of(client: &mut Client, user: &str) -> BTreeSet<String> {
    let live = client.live(user).await.unwrap();
    assert!(live.len() <= LIMIT, "{user}: {live:?}");
    let ids: BTreeSet<_> = live.iter().cloned().collect();
    assert_eq!(ids.len(), live.len(), "{user}: {live:?}");
    ids
}

/// Compares what the players of a user were told with what is, session by session.
pub(super) async fn settle(
    clean: &mut Client,
    nodes: &mut [(Client, Duration)],
    user: &str,
    sessions: Vec<(String, Known)>,
) {
    let mut expected = BTreeSet::new();
    for (turn, (id, known)) in sessions.into_iter().enumerate() {
        let session = format!("/v1/users/{user}/sessions/{id}");
        let known = resolve(clean, &session, known).await;
        let (is_live, status) = match known {
            Known::Live => (true, 200),
            Known::Stopped => (false, 410),
            Known::Refused => continue,
            in_doubt => unreachable!("{session} is {in_doubt:?}"),
        };
        let node = turn % nodes.len();
        let heartbeat = format!("{session}/heartbeat");
        let answer = insist(&mut nodes[node].0, "POST", &heartbeat).await;
        assert_eq!(answer.status, status, "{session} was {known:?}: {answer:?}");
        if is_live {
            expected.insert(id);
        } else {
            assert_eq!(answer.json()["reason"], "stopped", "{session}");
        }
    }
    assert_eq!(live_of(clean, user).await, expected, "{user}");
    // What is free can be had, and no more.
    let free = LIMIT - expected.len();
    for i in 0..=free {
        let node = i % nodes.len();
        let path = format!("/v1/users/{user}/sessions/new-{i}");
        let answer = insist(&mut nodes[node].0, "PUT", &path).await;
        let is_admitted = matches!(answer.status, 200 | 201);
        assert_eq!(is_admitted, i < free, "{user}: {answer:?}");
    }
}

/// Ends a doubt as its player would: by sending again what got no answer.
async fn resolve(clean: &mut Client, session: &str, known: Known) -> Known {
    match known {
        Known::Live | Known::Stopped | Known::Refused => return known,
        Known::New | Known::Starting | Known::Abandoned => {}
        Known::Stopping { was_live } => {
            let answer = insist(clean, "DELETE", session).await;
            match answer.status {
                204 => return Known::Stopped,
                404 if !was_live => {}
                _ => panic!("stop of {session}, {known:?}: {answer:?}"),
            }
        }
    }
    // A start that is acknowledged or refused leaves no room for one that is still on its way.
    let answer = insist(clean, "PUT", session).await;
    match answer.status {
        200 | 201 => Known::Live,
        409 => Known::Refused,
        _ => panic!("start of {session}, {known:?}: {answer:?}"),
    }
}

/// Calls until there is an answer. There are no faults any more, but the machine may be loaded, and
/// some nodes wait for their store but a moment.
async fn insist(node: &mut Client, method: &str, path: &str) -> Answer {
    let waited = Stopwatch::start();
    loop {
        let answer = node.send(method, path, None).await.unwrap();
        if answer.status != 503 {
            return answer;
        }
        assert!(waited.elapsed() < RECOVERY_MAX, "{answer:?}");
    }
}
