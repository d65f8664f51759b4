//! A call is dropped at each place where it can wait, over a server that suspends, loses messages
//! and serves another node in between. In the end the reports of both nodes must equal what is
//! stored.

pub(crate) mod server;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use server::{Loss, Node, Server, Speculates};
use streamgate_clock::ManualClock;
use streamgate_core::admission::{Adopt, Edit, ImportUser, ResetUser, SetUser, Start};
use streamgate_core::codec::{NEWEST, decode_ledger};
use streamgate_core::{AtLimit, Attributes, EndReason, Ending, Ledger, OverLimit, Policy, Seconds};
use streamgate_engine::{Engine, EngineSettings, RandomIds};
use streamgate_store::versioned::Optimistic;

use crate::support::{Memo, START_OF_TIME, heartbeat, id, start, stop, user};

/// The call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// A start that finds an expiry and ends another session.
    Start,
    /// A stop that finds an expiry.
    Stop,
    /// A heartbeat after the lease has expired, which revives its session.
    Revival,
    /// A heartbeat that finds an expiry and nothing to do.
    Stray,
    Erasure,
    /// An erasure of a user without live sessions, who has a plan and a history.
    IdleErasure,
    /// A reset that changes the profile of a user without live sessions.
    IdleReset,
    /// A start that sets the user's limit.
    SettingStart,
    SetUser,
    /// An import that sets the profile and starts nothing.
    Import,
    /// A start at the limit, which evicts.
    EvictingStart,
    /// A stop of the newest session.
    NewestStop,
    /// A heartbeat of a session above a lowered limit, which ends it.
    EndedHeartbeat,
    /// Heartbeats of this user and of one without sessions, one of which revives its session.
    Batch,
    /// A session that was admitted without the store.
    Adoption,
}

const ASKED: [Asked; 15] = [
    Asked::Start,
    Asked::Stop,
    Asked::Revival,
    Asked::Stray,
    Asked::Erasure,
    Asked::IdleErasure,
    Asked::IdleReset,
    Asked::SettingStart,
    Asked::SetUser,
    Asked::Import,
    Asked::EvictingStart,
    Asked::NewestStop,
    Asked::EndedHeartbeat,
    Asked::Batch,
    Asked::Adoption,
];

impl Asked {
    fn policy(self) -> Policy {
        let policy = Policy::default();
        match self {
            Self::EvictingStart => Policy {
                at_limit: AtLimit::EvictOldest,
                default_limit: 2,
                ..policy
            },
            Self::EndedHeartbeat => Policy {
                over_limit: OverLimit::EndNewest,
                ..policy
            },
            _ => policy,
        }
    }
}

/// What another node does before the first commit arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    Nothing,
    /// Its own start.
    Start,
    /// The same start.
    SameStart,
    Stop,
    Erasure,
    SetUser,
}

const OTHERS: [Others; 6] = [
    Others::Nothing,
    Others::Start,
    Others::SameStart,
    Others::Stop,
    Others::Erasure,
    Others::SetUser,
];

const LOSSES: [&[Loss]; 8] = [
    &[],
    &[Loss::Request],
    &[Loss::Answer],
    &[Loss::Request, Loss::Request],
    &[Loss::Answer, Loss::Answer],
    &[Loss::Answer, Loss::Request],
    &[Loss::Late, Loss::Late],
    &[Loss::Answer; 6],
];

/// Two nodes over one server, which report to one memo.
struct Nodes {
    clock: Arc<ManualClock>,
    server: Arc<Server>,
    memo: Arc<Memo>,
    node: Arc<Optimistic<Node>>,
    engine: Arc<Engine>,
    other: Arc<Engine>,
}

impl Nodes {
    fn new(speculates: Speculates, policy: &Policy) -> Self {
        let clock = Arc::new(ManualClock::at(START_OF_TIME));
        let server = Arc::new(Server::new(Arc::clone(&clock)));
        let memo = Arc::new(Memo::default());
        let node =
            |speculates| Arc::new(Optimistic::new(Node::new(Arc::clone(&server), speculates)));
        let engine = |node: Arc<Optimistic<Node>>| {
            let policy = Arc::new(policy.clone());
            let settings = EngineSettings::default();
            let memo = Arc::clone(&memo);
            Arc::new(Engine::new(
                node,
                policy,
                Arc::new(RandomIds),
                memo,
                settings,
            ))
        };
        let first = node(speculates);
        Self {
            engine: engine(Arc::clone(&first)),
            other: engine(node(Speculates::Never)),
            node: first,
            clock,
            server,
            memo,
        }
    }

    /// Three sessions of one user, of which `short` has expired; or a user who has a limit and has
    /// stopped a session, for calls about such a one.
    async fn begin(&self, asked: Asked) {
        if let Asked::IdleErasure | Asked::IdleReset = asked {
            let user = user("u");
            self.engine.run(&user, &set_limit(4)).await.unwrap();
            self.engine.start(&user, &start("x")).await.unwrap();
            self.engine.stop(&user, &stop("x")).await.unwrap();
            return;
        }
        let short = Start {
            lease: Some(Seconds(30)),
            ..start("short")
        };
        for start in [start("old"), start("x"), short] {
            self.engine.start(&user("u"), &start).await.unwrap();
        }
        if asked == Asked::EndedHeartbeat {
            self.engine.run(&user("u"), &set_limit(1)).await.unwrap();
        }
        self.clock.advance(Duration::from_secs(40));
    }

    /// From here on messages are lost, and another node writes in between.
    fn disturb(&self, losses: &[Loss], others: Others) {
        let node = self.node.remote();
        node.losses.lock().unwrap().extend(losses);
        let (other, clock) = (Arc::clone(&self.other), Arc::clone(&self.clock));
        *node.others.lock().unwrap() = Some(Box::pin(async move {
            clock.advance(Duration::from_millis(5));
            do_others(&other, others).await;
            clock.advance(Duration::from_millis(5));
        }));
    }

    /// Delivers all messages, and resolves the calls without an outcome.
    async fn calm_down(&self) {
        self.node.remote().losses.lock().unwrap().clear();
        for engine in [&self.engine, &self.other] {
            let resolving = engine.resolve_forever();
            let enough = tokio::time::sleep(Duration::from_secs(10));
            tokio::select! {
                () = resolving => panic!("it goes on for ever"),
                () = enough => {}
            }
            assert_eq!(engine.unresolved_calls(), 0);
        }
        self.server.let_arrive();
        // Finds the expired sessions.
        let stray = heartbeat("nobody");
        self.other.heartbeat(&user("u"), &stray).await.unwrap();
    }

    fn ledger(&self) -> Ledger {
        let record = self.server.record(&user("u"));
        record.map_or_else(Ledger::default, |record| decode_ledger(&record).unwrap())
    }
}

async fn do_others(other: &Engine, others: Others) {
    let user = user("u");
    match others {
        Others::Nothing => {}
        Others::Start => drop(other.start(&user, &start("b")).await.unwrap()),
        Others::SameStart => drop(other.start(&user, &start("a")).await.unwrap()),
        Others::Stop => drop(other.stop(&user, &stop("x")).await.unwrap()),
        Others::Erasure => drop(other.erase_user(&user).await.unwrap()),
        Others::SetUser => drop(other.run(&user, &set_limit(7)).await.unwrap()),
    }
}

fn set_limit(limit: u32) -> SetUser {
    SetUser {
        limit: Edit::Set(limit),
        ..SetUser::default()
    }
}

fn profile(name: &str) -> Attributes {
    Attributes::new([("name".into(), name.into())].into()).unwrap()
}

async fn ask(engine: &Engine, asked: Asked) {
    let user = user("u");
    match asked {
        Asked::Start => {
            let start = Start {
                terminate: vec![id("old")],
                ..start("a")
            };
            let _ = engine.start(&user, &start).await;
        }
        Asked::Stop => drop(engine.stop(&user, &stop("x")).await),
        Asked::Revival => drop(engine.heartbeat(&user, &heartbeat("short")).await),
        Asked::Stray => drop(engine.heartbeat(&user, &heartbeat("stray")).await),
        Asked::Erasure | Asked::IdleErasure => drop(engine.erase_user(&user).await),
        Asked::IdleReset => {
            let profile = Edit::Set(profile("new"));
            drop(engine.reset_user(&user, &ResetUser { profile }).await);
        }
        Asked::SettingStart => {
            let start = Start {
                sets: Some(Box::new(set_limit(5))),
                ..start("a")
            };
            let _ = engine.start(&user, &start).await;
        }
        Asked::SetUser => drop(engine.run(&user, &set_limit(5)).await),
        Asked::Import => {
            let import = ImportUser {
                sessions: Vec::new(),
                lease: Seconds(90),
                profile: profile("imported"),
            };
            drop(engine.run(&user, &import).await);
        }
        Asked::EvictingStart => drop(engine.start(&user, &start("a")).await),
        Asked::NewestStop => drop(engine.stop_newest(&user).await),
        Asked::EndedHeartbeat => drop(engine.heartbeat(&user, &heartbeat("x")).await),
        Asked::Batch => {
            let mine = ["x", "short", "stray"].map(|id| (user.clone(), heartbeat(id)));
            let stray = (self::user("v"), heartbeat("stray"));
            let batch = [&mine[..], &[stray]].concat();
            drop(engine.heartbeats(&batch, |_| ()).await);
        }
        Asked::Adoption => drop(engine.run(&user, &Adopt(start("a"))).await),
    }
}

/// Polls a call until it has waited `polls` times. `true` if it ended before.
async fn ends_within(call: impl Future<Output = ()>, mut polls: usize) -> bool {
    let mut call = Box::pin(call);
    poll_fn(|cx| {
        if call.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        polls -= 1;
        if polls == 0 {
            Poll::Ready(false)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Whether the reports equal what is stored: the live sessions, the reasons of the ended ones, and
/// the plan, limit and profile that were told last. An expiry `may_be_doubled`.
fn is_true(nodes: &Nodes, may_be_doubled: bool) -> bool {
    let ledger = nodes.ledger();
    let live = ledger.live.iter().map(|s| (s.id.to_string(), 1));
    let live: BTreeMap<String, i32> = live.collect();
    let words = nodes.memo.words();
    let times = |word: &str| words.iter().filter(|other| *other == word).count();
    let mut reported = nodes.memo.balance();
    if may_be_doubled && times("expired short") == 2 {
        *reported.entry("short".to_owned()).or_default() += 1;
        reported.retain(|_, count| *count != 0);
    }
    let is_reported_once = |ending: &Ending| {
        let word = format!("{} {}", ending.reason.as_str(), ending.id);
        ending.reason == EndReason::Expired || times(&word) == 1
    };
    let has_settings = nodes.memo.has_settings_of(&ledger);
    reported == live && has_settings && ledger.ended.iter().all(is_reported_once)
}

async fn drop_everywhere(
    speculates: Speculates,
    asked: Asked,
    losses: &[Loss],
    others: Others,
    untrue: &mut Vec<String>,
) {
    for polls in 1.. {
        let nodes = Nodes::new(speculates, &asked.policy());
        nodes.begin(asked).await;
        nodes.disturb(losses, others);
        let has_ended = ends_within(ask(&nodes.engine, asked), polls).await;
        nodes.calm_down().await;
        let case = format!("{speculates:?}, {asked:?}, {losses:?}, {others:?}, {polls} waits");
        // If an answer is lost and another node writes, both nodes may have found one expiry, and
        // the record does not tell which of them did.
        let may_be_doubled = !losses.is_empty() && others != Others::Nothing;
        if !is_true(&nodes, may_be_doubled) {
            let (words, ledger) = (nodes.memo.words(), nodes.ledger());
            untrue.push(format!("{case}: {words:?}, but {ledger:?}"));
        }
        if has_ended {
            return;
        }
    }
}

async fn drop_everywhere_with(speculates: Speculates) {
    let mut untrue = Vec::new();
    for asked in ASKED {
        for losses in LOSSES {
            for others in OTHERS {
                drop_everywhere(speculates, asked, losses, others, &mut untrue).await;
            }
        }
    }
    assert!(
        untrue.is_empty(),
        "{}: {:#?}",
        untrue.len(),
        &untrue[..untrue.len().min(9)]
    );
}

/// What a call is reported as, if nothing disturbs it.
fn word_of(asked: Asked) -> Option<&'static str> {
    match asked {
        Asked::Start => Some("terminated old"),
        Asked::Stop | Asked::NewestStop => Some("stopped x"),
        Asked::Revival | Asked::Batch => Some("revived short"),
        Asked::Stray => Some("expired short"),
        Asked::Erasure => Some("revoked x"),
        Asked::SettingStart | Asked::Adoption => Some("started a"),
        Asked::EvictingStart => Some("evicted old"),
        Asked::EndedHeartbeat => Some("evicted x"),
        // They change the user only.
        Asked::IdleErasure | Asked::IdleReset | Asked::SetUser | Asked::Import => None,
    }
}

/// Undisturbed, each call does what its name says.
#[tokio::test(start_paused = true)]
async fn an_undisturbed_call_is_reported_by_what_it_does() {
    for asked in ASKED {
        let nodes = Nodes::new(Speculates::Never, &asked.policy());
        nodes.begin(asked).await;
        let before = (nodes.memo.words().len(), nodes.ledger());
        ask(&nodes.engine, asked).await;
        let words = nodes.memo.words().split_off(before.0);
        match word_of(asked) {
            Some(word) => assert!(words.iter().any(|it| it == word), "{asked:?}: {words:?}"),
            None => assert_ne!(nodes.ledger(), before.1, "{asked:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn reports_are_what_is_stored_wherever_a_call_is_dropped() {
    drop_everywhere_with(Speculates::Never).await;
}

#[tokio::test(start_paused = true)]
async fn reports_are_what_is_stored_wherever_a_call_on_own_writes_is_dropped() {
    drop_everywhere_with(Speculates::IfSoleWriter).await;
}

#[tokio::test(start_paused = true)]
async fn reports_are_what_is_stored_wherever_a_speculative_call_is_dropped() {
    drop_everywhere_with(Speculates::Always).await;
}

/// A stop with commits that all arrive late. The node that finds out that none was made also makes
/// sure that none will be.
#[tokio::test(start_paused = true)]
async fn a_commit_that_arrives_after_its_outcome_was_found_out_changes_nothing() {
    for speculates in [
        Speculates::Never,
        Speculates::IfSoleWriter,
        Speculates::Always,
    ] {
        let nodes = Nodes::new(speculates, &Policy::default());
        nodes.begin(Asked::Stop).await;
        // Otherwise an expiry would be written anyway.
        let stray = heartbeat("nobody");
        nodes.engine.heartbeat(&user("u"), &stray).await.unwrap();
        nodes.disturb(&[Loss::Late; 6], Others::Nothing);
        let stopped = nodes.engine.stop(&user("u"), &stop("x")).await;
        assert!(stopped.is_err(), "{stopped:?}");
        assert_eq!(nodes.engine.unresolved_calls(), 1);
        nodes.calm_down().await;
        assert!(nodes.ledger().find(&id("x")).is_some(), "{speculates:?}");
        assert!(is_true(&nodes, false), "{:?}", nodes.memo.words());
    }
}

/// A node of a later release has rewritten the record, and is gone later.
#[tokio::test(start_paused = true)]
async fn a_call_over_a_newer_record_is_reported_once_the_record_can_be_read() {
    let nodes = Nodes::new(Speculates::Never, &Policy::default());
    let user = user("u");
    nodes.disturb(&[Loss::Answer; 6], Others::Nothing);
    let started = nodes.engine.start(&user, &start("a")).await;
    assert!(started.is_err(), "{started:?}");
    let record = nodes.server.overwrite(&user, vec![NEWEST + 1]);
    let resolving = nodes.engine.resolve_forever();
    let a_while = tokio::time::sleep(Duration::from_secs(10));
    tokio::select! {
        () = resolving => panic!("it goes on for ever"),
        () = a_while => {}
    }
    assert_eq!(nodes.engine.unresolved_calls(), 1);
    nodes.server.overwrite(&user, record);
    nodes.calm_down().await;
    assert_eq!(nodes.memo.words(), ["started a"]);
}
