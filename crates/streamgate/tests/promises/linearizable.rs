//! Promise 1 again, stricter: every answer of a mixed storm fits one order of events.
//!
//! Players of few users start, stop, heartbeat and list at once; each user's history of calls and
//! answers is then searched for an order that a one-at-a-time reference would have given, and that
//! does not contradict real time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use tempfile::TempDir;

use crate::client::Client;
use crate::support::Server;

const USERS: usize = 6;
const PLAYERS_PER_USER: usize = 4;
const CALLS_PER_PLAYER: usize = 12;
const ROUNDS: usize = 15;
const LIMIT: usize = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Start(u8),
    Stop(u8),
    Heartbeat(u8),
    List,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reply {
    /// A start or heartbeat, with the number of slots taken.
    Held { new: bool, active: usize },
    /// A refusal, with who holds the slots.
    Refused(Vec<u8>),
    /// A stop.
    Stopped,
    /// A heartbeat of an ended session.
    Ended,
    /// A session the user never had.
    Unknown,
    /// A list.
    Live(Vec<u8>),
}

/// One user, one call at a time. No time passes: the storm is shorter than a lease.
#[derive(Clone, Debug, Default, PartialEq)]
struct Reference {
    live: Vec<u8>,
    ended: Vec<u8>,
}

impl SequentialSpec for Reference {
    type Op = Call;
    type Ret = Reply;

    fn invoke(&mut self, call: &Call) -> Reply {
        match call {
            Call::Start(id) if self.live.contains(id) => Reply::Held {
                new: false,
                active: self.live.len(),
            },
            Call::Start(_) if self.live.len() == LIMIT => Reply::Refused(self.live.clone()),
            Call::Start(id) => {
                self.live.push(*id);
                self.ended.retain(|other| other != id);
                Reply::Held {
                    new: true,
                    active: self.live.len(),
                }
            }
            Call::Stop(id) if self.live.contains(id) => {
                self.live.retain(|other| other != id);
                self.ended.push(*id);
                Reply::Stopped
            }
            Call::Stop(id) if self.ended.contains(id) => Reply::Stopped,
            Call::Heartbeat(id) if self.live.contains(id) => Reply::Held {
                new: false,
                active: self.live.len(),
            },
            Call::Heartbeat(id) if self.ended.contains(id) => Reply::Ended,
            Call::Stop(_) | Call::Heartbeat(_) => Reply::Unknown,
            Call::List => Reply::Live(self.live.clone()),
        }
    }
}

async fn make(client: &mut Client, user: &str, call: &Call) -> Reply {
    let ids = |sessions: &serde_json::Value| -> Vec<u8> {
        crate::client::session_ids(sessions)
            .iter()
            .map(|id| id.parse().unwrap())
            .collect()
    };
    let answer = match call {
        Call::Start(id) => client.start(user, &id.to_string()).await,
        Call::Stop(id) => client.stop(user, &id.to_string()).await,
        Call::Heartbeat(id) => client.heartbeat(user, &id.to_string()).await,
        Call::List => {
            client
                .send("GET", &format!("/v1/users/{user}/sessions"), None)
                .await
        }
    }
    .unwrap();
    let active = || usize::try_from(answer.body["active"].as_u64().unwrap()).unwrap();
    match (answer.status.as_u16(), call) {
        (status @ (200 | 201), Call::Start(_)) => Reply::Held {
            new: status == 201,
            active: active(),
        },
        (200, Call::Heartbeat(_)) => Reply::Held {
            new: false,
            active: active(),
        },
        (409, Call::Start(_)) => Reply::Refused(ids(&answer.body["sessions"])),
        (204, Call::Stop(_)) => Reply::Stopped,
        (410, Call::Heartbeat(_)) => Reply::Ended,
        (404, Call::Stop(_) | Call::Heartbeat(_)) => Reply::Unknown,
        (200, Call::List) => Reply::Live(ids(&answer.body["sessions"])),
        _ => panic!("{call:?}: {answer:?}"),
    }
}

/// A call that looks random and is the same in every run.
fn call(seed: u64) -> Call {
    let mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
        .wrapping_mul(0xbf58_476d);
    let id = u8::try_from((mixed >> 40) % 5).unwrap();
    match (mixed >> 16) % 10 {
        0..5 => Call::Start(id),
        5..7 => Call::Stop(id),
        7..9 => Call::Heartbeat(id),
        _ => Call::List,
    }
}

type History = Arc<Mutex<LinearizabilityTester<usize, Reference>>>;

async fn play(mut client: Client, user: String, player: usize, round: usize, history: History) {
    for i in 0..CALLS_PER_PLAYER {
        let seed = (round * 1_000_003 + player * 1_009 + i * 31) as u64 ^ (user.len() as u64) << 32;
        let call = call(seed);
        history
            .lock()
            .unwrap()
            .on_invoke(player, call.clone())
            .unwrap();
        let reply = make(&mut client, &user, &call).await;
        history.lock().unwrap().on_return(player, reply).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_a_storm_fits_one_order() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let mut replies: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut histories = Vec::new();
        let mut tasks = Vec::new();
        for user in 0..USERS {
            let history = Arc::new(Mutex::new(LinearizabilityTester::new(Reference::default())));
            for player in 0..PLAYERS_PER_USER {
                let client = Client::connect(server.address).await.unwrap();
                let name = format!("{}{round}", "u".repeat(user + 1));
                tasks.push(tokio::spawn(play(
                    client,
                    name,
                    player,
                    round,
                    history.clone(),
                )));
            }
            histories.push(history);
        }
        for task in tasks {
            task.await.unwrap();
        }
        for history in histories {
            let history = history.lock().unwrap();
            let order = history.serialized_history();
            let order = order.unwrap_or_else(|| panic!("no order explains {history:#?}"));
            for (_, reply) in &order {
                *replies.entry(kind(reply)).or_default() += 1;
            }
        }
    }
    // A storm in which nothing was refused or ended would prove little.
    for kind in ["held", "refused", "stopped", "ended", "unknown", "live"] {
        assert!(replies.get(kind) > Some(&10), "{kind}: {replies:?}");
    }
}

fn kind(reply: &Reply) -> &'static str {
    match reply {
        Reply::Held { .. } => "held",
        Reply::Refused(_) => "refused",
        Reply::Stopped => "stopped",
        Reply::Ended => "ended",
        Reply::Unknown => "unknown",
        Reply::Live(_) => "live",
    }
}

#[test]
fn the_search_finds_a_slot_that_was_given_twice() {
    let mut history = LinearizabilityTester::new(Reference::default());
    for (player, active) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        history
            .on_invoke(player, Call::Start(u8::try_from(player).unwrap()))
            .unwrap();
        history
            .on_return(player, Reply::Held { new: true, active })
            .unwrap();
    }
    assert!(
        !history.is_consistent(),
        "four sessions at a limit of three"
    );
}
