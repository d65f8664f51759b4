//! Notices between two nodes over real servers: the contract in each topology, and what is heard
//! after connections, servers and slots have gone.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamgate_core::admission::{Start, Stop};
use streamgate_core::codec::{decode_ledger, decode_notice};
use streamgate_core::{EndReason, Event, SessionId, UserKey};
use streamgate_store::conformance::{other_nodes_are_told_what_was_committed, run};
use streamgate_store::{Notice, Notices, Store, View};
use streamgate_store_redis::RedisSettings;
use streamgate_testkit::{Cluster, Flavour, Redis, Sentinel};
use tokio::task::JoinHandle;

use crate::support::{admitted, eventually, open, settings, start, user};

/// How long a failover may take here, and what follows it.
const HEALED_WITHIN_S: u64 = 30;

async fn two_nodes(settings: &RedisSettings) -> [Arc<dyn Store>; 2] {
    [open(settings).await, open(settings).await]
}

async fn keeps_the_contract(url: &str) {
    let [ours, other] = two_nodes(&settings(url)).await;
    other_nodes_are_told_what_was_committed(ours, other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_and_valkey_tell_other_nodes() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let server = Redis::start(flavour, &[]);
        keeps_the_contract(&server.url()).await;
    }
}

/// Redis 6 knows channels that are not sharded only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_sharded_channels_tells_other_nodes() {
    let renamed = ["SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE"];
    let none = renamed.map(|command| ["--rename-command", command, ""]);
    let server = Redis::start(Flavour::Redis, none.as_flattened());
    keeps_the_contract(&server.url()).await;
}

/// Waits until changes of this user are heard (again), and passes over all else.
async fn since(notices: &dyn Notices, key: &UserKey) {
    let limit = Duration::from_secs(HEALED_WITHIN_S);
    let heard = tokio::time::timeout(limit, async {
        while notices.next().await != Notice::UserSince(key.clone()) {}
    });
    heard.await.expect("it is heard");
}

/// What another node does: starts and stops one session after the other, until it is called off.
struct Committing {
    over: Arc<AtomicBool>,
    /// How many stops were acknowledged.
    count: Arc<AtomicU32>,
    task: JoinHandle<BTreeSet<u32>>,
}

impl Committing {
    fn begin(store: &Arc<dyn Store>, key: &UserKey) -> Self {
        let (over, count) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let task = tokio::spawn({
            let (store, key) = (Arc::clone(store), key.clone());
            let (over, count) = (Arc::clone(&over), Arc::clone(&count));
            async move {
                let mut acknowledged = BTreeSet::new();
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = SessionId::new(&format!("s{number}")).unwrap();
                    let stop = Stop {
                        id: id.clone(),
                        reason: EndReason::Stopped,
                    };
                    let started = run(&*store, &key, &Start::new(id)).await.is_ok();
                    if started && run(&*store, &key, &stop).await.is_ok() {
                        acknowledged.insert(number);
                        count.fetch_add(1, Ordering::Relaxed);
                    } else {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                acknowledged
            }
        });
        Self { over, count, task }
    }

    /// Waits for so many more acknowledged stops.
    async fn goes_on(&self, more: u32) {
        let until = self.count.load(Ordering::Relaxed) + more;
        eventually("commits go on", HEALED_WITHIN_S, async || {
            (self.count.load(Ordering::Relaxed) >= until).then_some(())
        })
        .await;
    }

    /// Ends it; which stops were acknowledged.
    async fn end(self) -> BTreeSet<u32> {
        self.over.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// What a listener does: takes notices, and reads the record where some may have been missed.
struct Listening {
    known: Arc<Mutex<BTreeSet<u32>>>,
    /// How often it had to read.
    reads: Arc<AtomicU32>,
    _task: AbortOnDropHandle,
}

struct AbortOnDropHandle(JoinHandle<()>);

impl Drop for AbortOnDropHandle {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Listening {
    fn begin(store: &Arc<dyn Store>, key: &UserKey) -> Self {
        let (known, reads) = (Arc::<Mutex<BTreeSet<u32>>>::default(), Arc::default());
        let task = tokio::spawn({
            let (store, key) = (Arc::clone(store), key.clone());
            let (known, reads) = (Arc::clone(&known), Arc::clone(&reads));
            async move {
                let notices = store.notices().unwrap();
                loop {
                    match notices.next().await {
                        Notice::Committed { change, .. } => {
                            let ended = ended(&decode_notice(&change).unwrap());
                            known.lock().unwrap().extend(ended);
                        }
                        Notice::UserSince(of) if of == key => {
                            let last = last_ended(&*store, &key).await;
                            known.lock().unwrap().extend(0..last);
                            AtomicU32::fetch_add(&reads, 1, Ordering::Relaxed);
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
        Self {
            known,
            reads,
            _task: AbortOnDropHandle(task),
        }
    }

    /// Waits until all of these are known.
    async fn knows(&self, all: &BTreeSet<u32>) {
        eventually("all endings are known", HEALED_WITHIN_S, async || {
            all.is_subset(&self.known.lock().unwrap()).then_some(())
        })
        .await;
    }
}

/// The number of a session that ended.
fn ended(events: &[Event]) -> Option<u32> {
    events.iter().find_map(|event| match event {
        Event::Ended(end) => end.id.to_string()[1..].parse().ok(),
        _ => None,
    })
}

/// How many sessions have ended, by the last ending that is remembered. Reads until it is answered.
async fn last_ended(store: &dyn Store, key: &UserKey) -> u32 {
    loop {
        let mut last = 0;
        let mut step = |view: View<'_>| {
            let ledger = view.record.map(|record| decode_ledger(record).unwrap());
            let endings = ledger.iter().flat_map(|ledger| &ledger.ended);
            let numbers = endings.map(|ending| ending.id.to_string()[1..].parse::<u32>().unwrap());
            last = numbers.max().map_or(0, |last| last + 1);
            None
        };
        if store.transact(key, &mut step).await.is_ok() {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Two nodes, of which one commits without pause and the other listens.
struct Scene {
    committing: Committing,
    listening: Listening,
    notices: Arc<dyn Notices>,
}

impl Scene {
    async fn begin(settings: &RedisSettings, key: &UserKey) -> Self {
        let [ours, other] = two_nodes(settings).await;
        let notices = ours.notices().unwrap();
        notices.watch(key);
        let listening = Listening::begin(&ours, key);
        let committing = Committing::begin(&other, key);
        committing.goes_on(20).await;
        Self {
            committing,
            listening,
            notices,
        }
    }

    /// After whatever has happened: commits go on, and all that were acknowledged are known.
    async fn end(self) -> u32 {
        self.committing.goes_on(20).await;
        let acknowledged = self.committing.end().await;
        self.listening.knows(&acknowledged).await;
        assert!(self.notices.is_up());
        let reads = self.listening.reads.load(Ordering::Relaxed);
        println!("{} endings, {reads} reads", acknowledged.len());
        reads
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_when_connections_are_cut() {
    let server = Redis::start(Flavour::Redis, &[]);
    let scene = Scene::begin(&settings(&server.url()), &user("u")).await;
    for _ in 0..20 {
        scene.committing.goes_on(10).await;
        let _: u32 = server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }
    assert!(scene.end().await > 1, "connections were cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_when_a_server_stands_still() {
    let server = Redis::start(Flavour::Redis, &[]);
    let scene = Scene::begin(&settings(&server.url()), &user("u")).await;
    server.freeze();
    eventually("it is noticed", HEALED_WITHIN_S, async || {
        (!scene.notices.is_up()).then_some(())
    })
    .await;
    server.thaw();
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_follow_a_failover_of_sentinels() {
    let mut servers = Sentinel::start(1);
    keeps_the_contract(&servers.url()).await;
    let scene = Scene::begin(&settings(&servers.url()), &user("u")).await;
    servers.servers[0].kill();
    assert!(scene.end().await > 1, "the connection broke");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_follow_slots_and_failovers_of_a_cluster() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let mut cluster = Cluster::start(flavour);
        keeps_the_contract(&cluster.url()).await;
        let settings = settings(&cluster.url());
        let key = user("u");
        let name = format!("{}:{{default\0u}}", settings.key_prefix);
        let slot: u16 = cluster.servers[0].ask(&["CLUSTER", "KEYSLOT", &name]);
        let owner = usize::from(slot > 5_460) + usize::from(slot > 10_922);
        let scene = Scene::begin(&settings, &key).await;
        let reads = scene.listening.reads.load(Ordering::Relaxed);
        move_slot(&cluster, slot, owner, (owner + 1) % 3);
        eventually("the slot is followed", HEALED_WITHIN_S, async || {
            (scene.listening.reads.load(Ordering::Relaxed) > reads).then_some(())
        })
        .await;
        cluster.servers[(owner + 1) % 3].kill();
        assert!(scene.end().await > reads + 1, "the connection broke");
    }
}

/// Moves a slot with all that is in it.
fn move_slot(cluster: &Cluster, slot: u16, from: usize, to: usize) {
    let (from, to) = (&cluster.servers[from], &cluster.servers[to]);
    let (from_id, to_id): (String, String) =
        (from.ask(&["CLUSTER", "MYID"]), to.ask(&["CLUSTER", "MYID"]));
    let (slot, to_port) = (slot.to_string(), to.port.to_string());
    let _: String = to.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
    let _: String = from.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
    loop {
        let keys: Vec<String> = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
        if keys.is_empty() {
            break;
        }
        for key in keys {
            let _: String = from.ask(&["MIGRATE", "127.0.0.1", &to_port, &key, "0", "2000"]);
        }
    }
    for server in [to, from] {
        let _: String = server.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
    }
}

/// Each of many watched users is told, in every part of a cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_users_are_watched_at_once() {
    let cluster = Cluster::start(Flavour::Redis);
    let [ours, other] = two_nodes(&settings(&cluster.url())).await;
    let notices = ours.notices().unwrap();
    let keys: Vec<UserKey> = (0..1_000).map(|i| user(&format!("u{i}"))).collect();
    for key in &keys {
        notices.watch(key);
    }
    let (mut heard, mut told) = (BTreeSet::new(), BTreeSet::new());
    let limit = Duration::from_secs(HEALED_WITHIN_S);
    let all = tokio::time::timeout(limit, async {
        while told.len() < keys.len() {
            match notices.next().await {
                Notice::UserSince(key) => {
                    start(&*other, &key, "s").await.unwrap();
                    heard.insert(key.user().to_owned());
                }
                Notice::Committed { key, .. } => {
                    assert!(told.insert(key.user().to_owned()), "once");
                }
                other => panic!("{other:?}"),
            }
        }
    });
    all.await.expect("all are told");
    assert_eq!(told, heard);
    assert_eq!(notices.counts().connections_up, 3, "one for each primary");
    for key in &keys {
        notices.unwatch(key);
    }
    let subscribed = || {
        let channels = cluster.servers[..3].iter().map(|server| {
            let channels: Vec<String> = server.ask(&["PUBSUB", "SHARDCHANNELS"]);
            channels
                .iter()
                .filter(|channel| channel.contains('{'))
                .count()
        });
        channels.sum::<usize>()
    };
    eventually("all are left", HEALED_WITHIN_S, async || {
        (subscribed() == 0).then_some(())
    })
    .await;
}

/// A user of the server without permissions on channels: nothing but notices is missing, and they
/// come once it has them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_channels_commits_all_the_same() {
    let server = Redis::start(Flavour::Redis, &[]);
    let forbid = "SETUSER node on >secret ~* +@all resetchannels";
    let allow = "SETUSER node &t*";
    let set = |rules: &str| {
        let words: Vec<&str> = ["ACL"].into_iter().chain(rules.split(' ')).collect();
        server.ask::<String>(&words)
    };
    set(forbid);
    let settings = settings(&format!("redis://node:secret@{}", server.address()));
    let [ours, other] = two_nodes(&settings).await;
    let (key, notices) = (user("u"), ours.notices().unwrap());
    notices.watch(&key);
    assert_eq!(
        admitted(&[Arc::clone(&ours), Arc::clone(&other)], &key, 20).await,
        3
    );
    assert!(!notices.is_up());
    set(allow);
    since(&*notices, &key).await;
    eventually(
        "the other node may publish, too",
        HEALED_WITHIN_S,
        async || other.notices().unwrap().is_up().then_some(()),
    )
    .await;
    // Whichever of them was admitted.
    for number in 0..20 {
        let stop = Stop {
            id: SessionId::new(&format!("s{number}")).unwrap(),
            reason: EndReason::Stopped,
        };
        run(&*other, &key, &stop).await.unwrap();
    }
    let limit = Duration::from_secs(HEALED_WITHIN_S);
    let notice = tokio::time::timeout(limit, notices.next()).await;
    let notice = notice.expect("it is told");
    assert!(matches!(notice, Notice::Committed { .. }), "{notice:?}");
}
