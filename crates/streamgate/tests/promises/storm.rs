//! A storm: players of few users start, stop, send heartbeats and list at once. The linearizability
//! checker then searches the log of each user for a sequential order that explains every answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use streamgate_testkit::Client;
use streamgate_testkit::history::{History, Model};

use crate::promises::call::{Call, Reply, call, make};

const USERS: usize = 6;
const PLAYERS_PER_USER: usize = 4;
const CALLS_PER_PLAYER: usize = 12;
const LIMIT: usize = 3;

/// One user, one call at a time. No time passes: the storm is shorter than a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Reference {
    live: Vec<u8>,
    ended: Vec<u8>,
}

impl Model for Reference {
    type Call = Call;
    type Reply = Reply;

    fn answers(&mut self, call: &Call, reply: &Reply) -> bool {
        self.answer(call) == *reply
    }
}

impl Reference {
    fn answer(&mut self, call: &Call) -> Reply {
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

/// What happened to a player.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    Asked(Call),
    Answered(Reply),
}

/// What happened to the players of a user, in order.
pub(crate) type Log = Vec<(usize, Happened)>;

async fn play(mut client: Client, user: String, player: usize, round: usize, log: Arc<Mutex<Log>>) {
    for i in 0..CALLS_PER_PLAYER {
        let seed = (round * 1_000_003 + player * 1_009 + i * 31) as u64 ^ (user.len() as u64) << 32;
        let call = call(seed);
        let asked = (player, Happened::Asked(call.clone()));
        log.lock().unwrap().push(asked);
        let reply = make(&mut client, &user, &call).await;
        let answered = (player, Happened::Answered(reply));
        log.lock().unwrap().push(answered);
    }
}

/// Whether some order explains what happened to the players of a user. Where nodes compete calls
/// wait, and many orders fit for a while: the search goes on from each state once.
pub(crate) fn is_explained(log: &Log) -> bool {
    let mut history = History::new(PLAYERS_PER_USER);
    let mut asked = vec![None; PLAYERS_PER_USER];
    for (player, happened) in log {
        match happened.clone() {
            Happened::Asked(call) => asked[*player] = Some((history.begin(), call)),
            Happened::Answered(reply) => {
                let (began, call) = asked[*player].take().unwrap();
                history.end(*player, began, call, reply);
            }
        }
    }
    history.explain(&Reference::default()).is_ok()
}

/// Storms against these nodes of one store, the players of each user spread over all of them.
/// Panics where no order explains what happened to a user.
pub(crate) async fn storm(nodes: &[SocketAddr], rounds: usize) {
    let mut replies: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..rounds {
        let mut logs = Vec::new();
        let mut tasks = Vec::new();
        for user in 0..USERS {
            let log = Arc::new(Mutex::new(Log::new()));
            for player in 0..PLAYERS_PER_USER {
                let node = nodes[player % nodes.len()];
                let client = Client::connect(node).await.unwrap();
                let name = format!("{}{round}", "u".repeat(user + 1));
                tasks.push(tokio::spawn(play(client, name, player, round, log.clone())));
            }
            logs.push(log);
        }
        for task in tasks {
            task.await.unwrap();
        }
        for log in logs {
            let log = log.lock().unwrap();
            assert!(is_explained(&log), "no order explains {log:#?}");
            for (_, happened) in log.iter() {
                if let Happened::Answered(reply) = happened {
                    *replies.entry(kind(reply)).or_default() += 1;
                }
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

/// Four sessions at a limit of three: there must be no order that explains them.
pub(crate) fn one_too_many() -> Log {
    let starts = (0..4).map(Call::Start);
    let asked = starts.map(Happened::Asked).enumerate();
    let held = (1..=4).map(|active| Reply::Held { new: true, active });
    let answered = held.map(Happened::Answered).enumerate();
    asked.chain(answered).collect()
}
