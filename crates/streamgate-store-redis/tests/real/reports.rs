//! Connections that break under the calls of two nodes: what the nodes report is, in the end, what
//! is stored.
//!
//! Each call is made once, each session has one call that starts it and one at most that may end
//! it, no lease runs out, and each user has a record before: so nothing of what a record cannot
//! tell afterwards (ADR 0015) happens here.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_core::admission::{Edit, SetUser, Start, Stop};
use streamgate_core::{EndReason, Event, Ledger, Policy, Seconds, SessionId, UserKey};
use streamgate_engine::{Engine, EngineError, EngineObserver, EngineSettings, RandomIds};
use streamgate_store::Store;
use streamgate_store::conformance::read_ledger;
use streamgate_store_redis::RedisSettings;
use streamgate_testkit::proxy::tcp::{Disturbance, Proxy};
use streamgate_testkit::random::Random;
use streamgate_testkit::{Flavour, Redis};
use tokio::task::JoinSet;

use crate::support::{eventually, open, settings, user};

const NODES: usize = 2;
const USERS: usize = 24;

/// How many sessions each node starts for a user. The record remembers them all.
const SESSIONS: usize = 24;

/// While connections break, one message in so many breaks its own. A connection carries the calls
/// of all users.
const BREAKS_ONE_IN: usize = 16;

/// How long a player waits after a call that fails, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// The outcome of a commit whose connection breaks is found out by the second try of the store, by
/// another run, or, a second after its call ended, by a read: by then each of these has ended. A
/// report that is made twice has been made as well.
const SETTLES: Duration = Duration::from_secs(3);

/// How much longer that may take on a loaded machine.
const SLACK: Duration = Duration::from_secs(6);

/// What was reported of each session: how often it entered, and how often it ended.
type Counts = BTreeMap<(String, String), (u32, u32)>;

/// Counts what is reported.
#[derive(Debug, Default)]
struct Memo {
    counts: Mutex<Counts>,
    outcomes_unknown: AtomicU32,
}

impl EngineObserver for Memo {
    fn committed(&self, user: &UserKey, events: &[Event]) {
        let mut counts = self.counts.lock().unwrap();
        for event in events {
            let (id, entered, ended) = match event {
                Event::Started(session) | Event::Revived(session) => (&session.id, 1, 0),
                Event::Ended(end) => (&end.id, 0, 1),
                _ => continue,
            };
            let count = counts.entry(name_of(user, id)).or_default();
            *count = (count.0 + entered, count.1 + ended);
        }
    }

    fn outcome_unknown(&self) {
        self.outcomes_unknown.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether what was reported of a session is what its record says. A start whose first run was
/// committed without its answer finds, in its second run, that another node has ended the session
/// meanwhile, and starts it again: then the record has the second one.
fn agree(reported: Option<&(u32, u32)>, stored: Option<&(u32, u32)>) -> bool {
    let started_again = (Some(&(2, 1)), Some(&(1, 0)));
    reported == stored || (reported, stored) == started_again
}

fn name_of(user: &UserKey, session: &SessionId) -> (String, String) {
    (user.user().to_owned(), session.to_string())
}

/// How the calls of players ended.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicU32,
    dropped: AtomicU32,
    in_doubt: AtomicU32,
    refused: AtomicU32,
}

impl Tally {
    /// `None` is a call that was dropped.
    fn count<T>(&self, answer: Option<&Result<T, EngineError>>) {
        let counter = match answer {
            None => &self.dropped,
            Some(Ok(_)) => &self.answered,
            Some(Err(EngineError::OutcomeUnknown(_))) => &self.in_doubt,
            Some(Err(_)) => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Two nodes behind proxies, which report to one memo, and a store without a proxy.
struct Nodes {
    memo: Arc<Memo>,
    engines: Vec<Arc<Engine>>,
    proxies: Vec<Proxy>,
    clean: Arc<dyn Store>,
    /// Finds out what became of calls that ended without their outcome, as a server does.
    resolving: JoinSet<()>,
}

impl Nodes {
    async fn over(server: &Redis, settings: &RedisSettings) -> Self {
        let direct = RedisSettings {
            wait_replicas: 0,
            ..settings.clone()
        };
        let mut nodes = Self {
            memo: Arc::default(),
            engines: Vec::new(),
            proxies: Vec::new(),
            clean: open(&direct).await,
            resolving: JoinSet::new(),
        };
        for node in 0..NODES {
            let proxy = Proxy::before(server.port, node as u64, BREAKS_ONE_IN).await;
            let settings = RedisSettings {
                url: format!("redis://127.0.0.1:{}", proxy.port),
                ..settings.clone()
            };
            let policy = Policy {
                default_limit: 1_000,
                lease: Seconds(3_600),
                ..Policy::default()
            };
            let engine = Arc::new(Engine::new(
                open(&settings).await,
                Arc::new(policy),
                Arc::new(RandomIds),
                nodes.memo.clone(),
                EngineSettings {
                    deadline: Duration::from_secs(2),
                    ..EngineSettings::default()
                },
            ));
            nodes.proxies.push(proxy);
            let resolving = Arc::clone(&engine);
            let resolves = async move { resolving.resolve_forever().await };
            nodes.resolving.spawn(resolves);
            nodes.engines.push(engine);
        }
        nodes
    }

    /// Gives each user a record.
    async fn introduce(&self) {
        let known = SetUser {
            limit: Edit::Set(1_000),
            ..SetUser::default()
        };
        for number in 0..USERS {
            let user = user(&format!("u{number}"));
            self.engines[0].run(&user, &known).await.unwrap();
        }
    }

    /// Lets players call while connections break.
    async fn storm(&self) -> Tally {
        let tally = Arc::new(Tally::default());
        for proxy in &self.proxies {
            proxy.set(Disturbance::Breaking);
        }
        let mut playing = JoinSet::new();
        for (node, engine) in self.engines.iter().enumerate() {
            for number in 0..USERS {
                let player = Player {
                    node,
                    user: user(&format!("u{number}")),
                    engine: Arc::clone(engine),
                    random: Random::new((number * NODES + node) as u64),
                    tally: Arc::clone(&tally),
                    pause: FIRST_PAUSE,
                };
                playing.spawn(player.play());
            }
        }
        playing.join_all().await;
        for proxy in &self.proxies {
            proxy.set(Disturbance::None);
        }
        Arc::into_inner(tally).expect("all players have ended")
    }

    /// What the records say of each session: it entered once, and ended once or not.
    async fn stored(&self) -> Counts {
        let mut stored = Counts::new();
        for number in 0..USERS {
            let key = user(&format!("u{number}"));
            let ledger = read_ledger(&*self.clean, &key).await;
            let Ledger { live, ended, .. } = ledger.unwrap_or_default();
            stored.extend(live.iter().map(|it| (name_of(&key, &it.id), (1, 0))));
            stored.extend(ended.iter().map(|it| (name_of(&key, &it.id), (1, 1))));
        }
        stored
    }

    fn reported(&self) -> Counts {
        self.memo.counts.lock().unwrap().clone()
    }

    /// Where the reports and the records differ: the session, what was reported, what is stored.
    async fn differences(&self) -> Vec<String> {
        let (stored, reported) = (self.stored().await, self.reported());
        let mut names: Vec<_> = stored.keys().chain(reported.keys()).collect();
        names.sort();
        names.dedup();
        let differs = names
            .into_iter()
            .filter(|it| !agree(reported.get(it), stored.get(it)));
        differs
            .map(|it| format!("{it:?}: {:?}, {:?}", reported.get(it), stored.get(it)))
            .collect()
    }

    /// Waits until the outcome of every call is known, and compares the reports with the records.
    async fn compare(&self) {
        tokio::time::sleep(SETTLES).await;
        let waited = Stopwatch::start();
        loop {
            let unresolved = self.engines.iter().map(|it| it.unresolved_calls());
            let unresolved: usize = unresolved.sum();
            let differences = self.differences().await;
            if unresolved == 0 && differences.is_empty() {
                return;
            }
            assert!(
                waited.elapsed() < SLACK,
                "{unresolved} calls are unresolved; reported, stored: {differences:#?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Makes the calls about a user at one node.
struct Player {
    node: usize,
    user: UserKey,
    engine: Arc<Engine>,
    random: Random,
    tally: Arc<Tally>,
    /// How long it waits after a call that fails.
    pause: Duration,
}

impl Player {
    /// Starts sessions. Of four, the other node stops one, this node stops one, and the start of
    /// the last terminates one.
    async fn play(mut self) {
        for number in 0..SESSIONS {
            let mut start = Start::new(session(self.node, number));
            if number % 4 == 3 {
                start.terminate.push(session(self.node, number - 1));
            }
            let engine = Arc::clone(&self.engine);
            self.call(async |user| engine.start(user, &start).await)
                .await;
            let stopped = match number % 4 {
                1 => Some(session(self.node, number)),
                2 => Some(session(NODES - 1 - self.node, number - 2)),
                _ => None,
            };
            if let Some(id) = stopped {
                let reason = EndReason::Stopped;
                let stop = Stop { id, reason };
                self.call(async |user| engine.stop(user, &stop).await).await;
            }
        }
    }

    /// Makes a call. One in four is dropped where it waits.
    async fn call<T>(&mut self, call: impl AsyncFnOnce(&UserKey) -> Result<T, EngineError>) {
        let user = self.user.clone();
        let call = call(&user);
        let answer = if self.random.one_in(4) {
            let polls = 1 + self.random.below(3);
            answer_within(call, polls).await
        } else {
            Some(call.await)
        };
        self.tally.count(answer.as_ref());
        // Players wait before they call again, the longer the more of their calls fail: until there
        // is a connection.
        match answer {
            None => {}
            Some(Ok(_)) => self.pause = FIRST_PAUSE,
            Some(Err(_)) => {
                tokio::time::sleep(self.pause).await;
                self.pause = (2 * self.pause).min(LONGEST_PAUSE);
            }
        }
    }
}

fn session(node: usize, number: usize) -> SessionId {
    SessionId::new(&format!("n{node}-{number}")).unwrap()
}

/// Polls a call until it has waited `polls` times, then drops it.
async fn answer_within<T>(call: impl Future<Output = T>, mut polls: usize) -> Option<T> {
    let mut call = pin!(call);
    poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => {
            polls -= 1;
            if polls == 0 {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await
}

async fn reports_are_what_is_stored(server: &Redis, settings: &RedisSettings) {
    let mut nodes = Nodes::over(server, settings).await;
    nodes.introduce().await;
    let began = Stopwatch::start();
    let tally = nodes.storm().await;
    let stormed = began.elapsed();
    nodes.compare().await;
    assert!(
        nodes.resolving.try_join_next().is_none(),
        "it goes on for ever"
    );

    let broken: Vec<usize> = nodes.proxies.iter().map(|it| it.spoiled()[1]).collect();
    let unknown = nodes.memo.outcomes_unknown.load(Ordering::Relaxed);
    let stored = nodes.stored().await;
    let ended = stored.values().filter(|(_, ended)| *ended == 1).count();
    println!(
        "{tally:?}, connections broken {broken:?}, {unknown} runs of unknown outcome, \
         {} sessions stored, {ended} of them ended, in {stormed:?}",
        stored.len()
    );
    // A storm in which nothing was lost, or everything, would prove nothing.
    assert!(broken.iter().all(|count| *count > 0));
    assert!(unknown > 0);
    for count in [&tally.answered, &tally.dropped, &tally.in_doubt] {
        assert!(count.load(Ordering::Relaxed) > 0);
    }
    assert!(stored.len() > NODES * USERS * SESSIONS / 2);
    assert!(ended > stored.len() / 4);
}

/// Lost connections are noticed by themselves; only a machine that stalls needs these.
fn patient(server: &Redis) -> RedisSettings {
    RedisSettings {
        connect_timeout: Duration::from_millis(500),
        response_timeout: Duration::from_millis(800),
        ..settings(&server.url())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_what_is_stored_although_connections_break() {
    let server = Redis::start(Flavour::Redis, &[]);
    reports_are_what_is_stored(&server, &patient(&server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_what_is_stored_although_connections_break_before_replicas_have_it() {
    let server = Redis::start(Flavour::Redis, &["--repl-diskless-sync-delay", "0"]);
    let port = server.port.to_string();
    let _replica = Redis::start(Flavour::Redis, &["--replicaof", "127.0.0.1", &port]);
    eventually("the replica is there", 20, async || {
        server.has_replicas(1).then_some(())
    })
    .await;
    let settings = RedisSettings {
        wait_replicas: 1,
        wait_timeout: Duration::from_millis(400),
        ..patient(&server)
    };
    reports_are_what_is_stored(&server, &settings).await;
}
