//! A storm through five dialects and /v1 is linearizable. Six players of one user, one a dialect,
//! start and stop at once; the checker then searches for a sequential order that explains every
//! answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use streamgate_testkit::Client;
use streamgate_testkit::history::{History, Model};

use crate::dialects::call::{Call, Reply, Way, is_made};
use crate::dialects::dialect::{Dialect, Told, Verdict};
use crate::dialects::setup::Service;

const USERS: usize = 6;
const CALLS_PER_PLAYER: usize = 12;
const ROUNDS: usize = 12;
const LIMIT: usize = 3;

/// Stands in the reference for an id that the server made and that no answer has named.
const HIDDEN: &str = "hidden";

/// One user, one call at a time. No time passes: the storm is shorter than a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct User {
    /// In the order in which they started.
    live: Vec<String>,
    /// It had a session, and was not forgotten since.
    has_history: bool,
    has_profile: bool,
}

impl User {
    fn is_known(&self) -> bool {
        self.has_history || self.has_profile
    }

    /// What the answer of a dialect that tells everything would tell.
    fn told(&self, is_new: bool) -> Told {
        Told {
            is_new: Some(is_new),
            active: Some(self.live.len()),
            ids: Some(self.live.clone()),
            made: None,
        }
    }

    fn start(&mut self, way: Way, id: &str) -> Verdict {
        if way == Way::Dialect(Dialect::StreamRequests) && !self.is_known() {
            return Verdict::UnknownUser;
        }
        let is_named = match way {
            Way::V1 => true,
            Way::Dialect(dialect) => dialect.names_sessions(),
        };
        let id = if is_named { id } else { HIDDEN };
        if is_named && self.live.iter().any(|live| live == id) {
            return Verdict::Held(self.told(false));
        }
        if self.live.len() == LIMIT {
            return Verdict::Refused(self.told(false));
        }
        self.has_history = true;
        self.live.push(id.to_owned());
        Verdict::Held(self.told(true))
    }

    /// Makes a call, and gives the answer of a dialect that tells everything.
    fn invoke(&mut self, call: &Call) -> Reply {
        match call {
            Call::Start(way, id) => Reply::Started(self.start(*way, id)),
            Call::Stop(_, id) => {
                let before = self.live.len();
                self.live.retain(|live| live != id);
                match self.live.len() < before {
                    true => Reply::Stopped(None),
                    false => Reply::NoneToStop,
                }
            }
            Call::StopNewest => match self.live.pop() {
                Some(_) => Reply::Stopped(Some(self.live.len())),
                None if self.is_known() => Reply::NoneToStop,
                None => Reply::UnknownUser,
            },
            Call::Forget(_) if !self.is_known() => Reply::UnknownUser,
            Call::Forget(_) | Call::Create => {
                self.live.clear();
                self.has_history = false;
                // user-streams leaves alone what it never had.
                self.has_profile &= *call == Call::Forget(Dialect::UserStreams);
                self.has_profile |= *call == Call::Create;
                Reply::Cleared
            }
            Call::List => Reply::Live(self.live.clone()),
        }
    }
}

impl Model for User {
    type Call = Call;
    type Reply = Reply;

    fn answers(&mut self, call: &Call, reply: &Reply) -> bool {
        match (self.invoke(call), reply) {
            (Reply::Started(Verdict::Held(all)), Reply::Started(Verdict::Held(told))) => {
                if let (Some(made), Some(newest)) = (&told.made, self.live.last_mut()) {
                    // From now on this id has been told.
                    newest.clone_from(made);
                }
                agrees(&all, told)
            }
            (Reply::Started(Verdict::Refused(all)), Reply::Started(Verdict::Refused(told))) => {
                agrees(&all, told)
            }
            (Reply::Live(all), Reply::Live(ids)) => same(&all, ids),
            // A stop in /v1 may be repeated.
            (Reply::NoneToStop, Reply::Stopped(None)) => matches!(call, Call::Stop(Way::V1, _)),
            (expected, reply) => expected == *reply,
        }
    }
}

/// Whether what was told is a part of what there was to tell.
fn agrees(all: &Told, told: &Told) -> bool {
    told.is_new.is_none_or(|is_new| all.is_new == Some(is_new))
        && told.active.is_none_or(|active| all.active == Some(active))
        && told
            .ids
            .as_ref()
            .is_none_or(|ids| same(all.ids.as_deref().unwrap_or(&[]), ids))
}

/// Whether these are the live sessions, as far as the reference knows their names.
fn same(live: &[String], ids: &[String]) -> bool {
    let fits = |(live, id): (&String, &String)| live == id || (live == HIDDEN && is_made(id));
    live.len() == ids.len() && live.iter().zip(ids).all(fits)
}

async fn play(
    mut client: Client,
    user: String,
    player: usize,
    seed: u64,
    history: Arc<Mutex<History<User>>>,
) {
    let mut made = Vec::new();
    for i in 0..CALLS_PER_PLAYER as u64 {
        let call = Call::random(Way::ALL[player], seed + i, &mut made);
        let ask = call.ask(&user);
        let began = history.lock().unwrap().begin();
        let answer = ask.send(&mut client).await;
        let reply = call.reply(&answer, &user, LIMIT);
        if let Reply::Started(verdict) = &reply {
            made.extend(verdict.told().made);
        }
        history.lock().unwrap().end(player, began, call, reply);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v1_and_all_dialects_together_are_linearizable() {
    let service = Service::start(&[]);
    let mut replies: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut histories = Vec::new();
        let mut tasks = Vec::new();
        for user in 0..USERS {
            let history = Arc::new(Mutex::new(History::new(Way::ALL.len())));
            for player in 0..Way::ALL.len() {
                let client = Client::connect(service.address()).await.unwrap();
                let seed = ((round * USERS + user) * Way::ALL.len() + player) as u64 * 1_009;
                let name = format!("u{user}-{round}");
                tasks.push(tokio::spawn(play(
                    client,
                    name,
                    player,
                    seed,
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
            let order = history.explain(&User::default()).unwrap_or_else(|longest| {
                panic!("no order explains {history:#?}; the longest attempt: {longest:#?}")
            });
            for (call, reply) in order {
                *replies.entry(kind(call, reply)).or_default() += 1;
            }
        }
    }
    // A storm in which nothing was refused or ended would prove little.
    for kind in [
        "held",
        "refused",
        "stopped",
        "none to stop",
        "cleared",
        "unknown",
        "live",
    ] {
        assert!(replies.get(kind) > Some(&10), "{kind}: {replies:?}");
    }
}

fn kind(call: &Call, reply: &Reply) -> &'static str {
    match (call, reply) {
        (_, Reply::Started(Verdict::Held(_))) => "held",
        (_, Reply::Started(Verdict::Refused(_))) => "refused",
        (_, Reply::Started(Verdict::UnknownUser) | Reply::UnknownUser) => "unknown",
        // A stop in /v1 may be one that was made before.
        (Call::Stop(Way::V1, _), Reply::Stopped(_)) => "stopped or gone",
        (_, Reply::Stopped(_)) => "stopped",
        (_, Reply::NoneToStop) => "none to stop",
        (_, Reply::Cleared) => "cleared",
        (_, Reply::Live(_)) => "live",
    }
}

/// Whether some order explains calls of as many players, each made when the one before was
/// answered.
fn is_explained(calls: &[(Call, Reply)]) -> bool {
    let mut history = History::new(calls.len());
    for (player, (call, reply)) in calls.iter().enumerate() {
        let began = history.begin();
        history.end(player, began, call.clone(), reply.clone());
    }
    history.explain(&User::default()).is_ok()
}

#[test]
fn the_linearizability_checker_rejects_impossible_answers() {
    let start = |dialect, told| {
        let call = Call::Start(Way::Dialect(dialect), "0".to_owned());
        (call, Reply::Started(Verdict::Held(told)))
    };
    let made = Told {
        made: Some("f186213a-09dc-4aff-a8bf-484915598a15".to_owned()),
        ..Told::default()
    };
    let counted = |active| Told {
        active: Some(active),
        ..Told::default()
    };
    let three = [
        start(Dialect::StreamLog, made.clone()),
        start(Dialect::SessionTracker, counted(2)),
        start(Dialect::ConcurrencyService, counted(3)),
    ];
    let and = |last| [three.as_slice(), &[last]].concat();
    assert!(is_explained(&three));
    // A slot that was given twice.
    assert!(!is_explained(&and(start(Dialect::StreamLog, made))));
    assert!(is_explained(&and((
        Call::StopNewest,
        Reply::Stopped(Some(2))
    ))));
    // A stop that did not count.
    assert!(!is_explained(&and((
        Call::StopNewest,
        Reply::Stopped(Some(3))
    ))));
    // A session that was never started.
    let ids = |ids: [&str; 3]| (Call::List, Reply::Live(ids.map(str::to_owned).to_vec()));
    let (log, tracker) = (
        "f186213a-09dc-4aff-a8bf-484915598a15",
        "0191e5a0-0000-7000-8000-000000000000",
    );
    assert!(is_explained(&and(ids([log, tracker, "0"]))));
    assert!(!is_explained(&and(ids([log, tracker, "1"]))));
    assert!(!is_explained(&and(ids([tracker, log, "0"]))));
}

/// Two calls at once may have come in either order; one after the other only in one.
#[test]
fn the_linearizability_checker_respects_real_time() {
    let list = (Call::List, Reply::Live(Vec::new()));
    let verdict = Verdict::Held(Told::default());
    let start = (
        Call::Start(Way::V1, "0".to_owned()),
        Reply::Started(verdict),
    );
    for is_at_once in [true, false] {
        let mut history = History::new(2);
        let first = history.begin();
        let overlapping = history.begin();
        history.end(0, first, start.0.clone(), start.1.clone());
        let began = if is_at_once {
            overlapping
        } else {
            history.begin()
        };
        history.end(1, began, list.0.clone(), list.1.clone());
        assert_eq!(history.explain(&User::default()).is_ok(), is_at_once);
    }
}
