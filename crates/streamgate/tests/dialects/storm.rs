//! A storm of starts and stops through all dialects and /v1: the limit holds at every moment, and
//! every answer is one of the contract.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use streamgate_testkit::Client;

use crate::dialects::ask::Ask;
use crate::dialects::call::{Call, Reply, Way, mix};
use crate::dialects::dialect::Verdict;
use crate::dialects::setup::Service;

/// Connections that speak one language.
const PLAYERS_PER_WAY: usize = 4;
const CALLS_PER_PLAYER: usize = 60;

/// A user of a storm, and its limit.
#[derive(Debug, Clone)]
struct User {
    name: String,
    limit: usize,
}

/// How often something was answered.
type Counts = BTreeMap<&'static str, usize>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_user_never_has_more_than_its_limit() {
    let service = Service::start(&[]);
    let name = "the-user".to_owned();
    storm(&service, vec![User { name, limit: 3 }]).await;
    service.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_user_has_more_than_the_limit_it_was_given() {
    let service = Service::start(&[]);
    let users = (1..=5).map(|limit| {
        let name = format!("u{limit}");
        service.set_limit(&name, limit);
        User { name, limit }
    });
    storm(&service, users.collect()).await;
    service.end();
}

async fn storm(service: &Service, users: Vec<User>) {
    let users: Arc<[User]> = users.into();
    let is_over = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn(watch(
        Client::connect(service.address()).await.unwrap(),
        Arc::clone(&users),
        Arc::clone(&is_over),
    ));
    let mut players = Vec::new();
    for player in 0..PLAYERS_PER_WAY * Way::ALL.len() {
        let client = Client::connect(service.address()).await.unwrap();
        players.push(tokio::spawn(play(client, player, Arc::clone(&users))));
    }
    let mut replies = Counts::new();
    for player in players {
        for (kind, times) in player.await.unwrap() {
            *replies.entry(kind).or_default() += times;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let samples = watcher.await.unwrap();

    // A storm in which nothing was refused or ended would prove little, and so would a watcher that
    // saw no user at its limit.
    for kind in ["held", "refused", "ended"] {
        assert!(replies.get(kind) > Some(&50), "{kind}: {replies:?}");
    }
    for kind in ["at the limit", "below it"] {
        assert!(samples.get(kind) > Some(&10), "{kind}: {samples:?}");
    }
    for User { name, limit } in users.iter() {
        assert!(service.live(name).len() <= *limit);
    }
}

/// Asks /v1 for the live sessions of each user in turn, until the storm is over.
async fn watch(mut client: Client, users: Arc<[User]>, is_over: Arc<AtomicBool>) -> Counts {
    let mut seen = Counts::new();
    for User { name, limit } in users.iter().cycle() {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let ask = Ask::new("GET", format!("/v1/users/{name}/sessions"));
        let body = ask.send(&mut client).await.json();
        let live = body["sessions"].as_array().unwrap().len();
        assert!(live <= *limit, "{body}");
        assert_eq!(
            (&body["active"], &body["limit"]),
            (&live.into(), &(*limit).into())
        );
        let kind = if live == *limit {
            "at the limit"
        } else {
            "below it"
        };
        *seen.entry(kind).or_default() += 1;
    }
    seen
}

async fn play(mut client: Client, player: usize, users: Arc<[User]>) -> Counts {
    let way = Way::ALL[player % Way::ALL.len()];
    let mut made: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut replies = Counts::new();
    for i in 0..CALLS_PER_PLAYER {
        let seed = (player * 1_009 + i) as u64;
        let user = usize::try_from(mix(seed) >> 24).unwrap() % users.len();
        let User { name, limit } = &users[user];
        let made = made.entry(name).or_default();
        let call = Call::random(way, seed, made);
        let reply = call.reply(&call.ask(name).send(&mut client).await, name, *limit);
        if let Reply::Started(verdict) = &reply {
            made.extend(verdict.told().made);
        }
        *replies.entry(kind(&reply)).or_default() += 1;
    }
    replies
}

fn kind(reply: &Reply) -> &'static str {
    match reply {
        Reply::Started(Verdict::Held(_)) => "held",
        Reply::Started(Verdict::Refused(_)) => "refused",
        Reply::Stopped(_) | Reply::Cleared => "ended",
        Reply::Started(Verdict::UnknownUser) | Reply::UnknownUser => "unknown user",
        Reply::NoneToStop => "none to stop",
        Reply::Live(_) => "live",
    }
}
