//! A disturbed network between nodes and store: delays, broken connections, lost requests and
//! answers. Players repeat unanswered calls with the same ids; every answer must be true, during
//! the storm and after it.

mod observer;
mod player;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_core::bounds::STOPPED_ENDINGS_MAX;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::nodes::{Nodes, redis};

use observer::{observe, settle};
use player::{Account, Player, Tally};
use streamgate_testkit::proxy::tcp::{Disturbance, Proxy};
use streamgate_testkit::random::{Random, seed};
use streamgate_testkit::{Client, Server};

pub(crate) const LIMIT: usize = 2;
const PLAYERS_PER_USER: usize = 4;

/// Endings up to this many are all remembered, so that each can be asked for in the end.
const STOPS_PER_PLAYER: usize = STOPPED_ENDINGS_MAX / PLAYERS_PER_USER;

/// How much later than its deadline a call may be answered by a loaded machine.
const SLACK: Duration = Duration::from_secs(4);

/// How long nodes may take to find a store again, on such a machine.
const RECOVERY_MAX: Duration = Duration::from_secs(15);

/// How often the disturbance changes at most: each kind of fault must have happened by then.
const SPELLS_MAX: usize = 100;

/// Nodes behind proxies, one without, and the disturbances.
pub(crate) struct Storm {
    /// With their deadlines.
    pub(crate) spoiled: Vec<(SocketAddr, Duration)>,
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) clean: SocketAddr,
    pub(crate) seed: u64,
    /// How long each disturbance lasts.
    pub(crate) spell: Duration,
    /// How often it changes, at least.
    pub(crate) spells: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stay_true_over_a_disturbed_network_to_redis() {
    let redis = redis();
    let seed = seed();
    let limit = format!("policy.default_limit={LIMIT}");
    let clean = Nodes::over(&redis, 1, &["--set", &limit]);
    let dir = TempDir::new().unwrap();
    let mut servers = Vec::new();
    let mut proxies = Vec::new();
    for node in 0..2 {
        // All calls of a node share a connection: if it breaks often, none gets through.
        let proxy = Proxy::before(redis.port, seed ^ (node << 32), 32).await;
        let url = format!("store.url=redis://127.0.0.1:{}", proxy.port);
        let settings = [
            &limit,
            &url,
            "engine.deadline_ms=1000",
            "store.redis.connect_timeout_ms=300",
            "store.redis.response_timeout_ms=200",
            "store.redis.wait_timeout_ms=100",
        ];
        let arguments: Vec<_> = settings.iter().flat_map(|it| ["--set", it]).collect();
        servers.push(Server::start_with(dir.path(), &arguments));
        proxies.push(proxy);
    }
    let deadline = Duration::from_secs(1);
    let storm = Storm {
        spoiled: servers
            .iter()
            .map(|node| (node.address, deadline))
            .collect(),
        proxies,
        clean: clean.servers[0].address,
        seed,
        spell: Duration::from_millis(400),
        spells: 2 * Disturbance::COUNT,
    };
    storm.rage(24).await;
}

impl Storm {
    /// Runs the storm with players of this many users, and compares answers with what is stored.
    #[expect(clippy::print_stdout, reason = "figures for a reader of the log")]
    pub(crate) async fn rage(&self, users: usize) {
        let mut random = Random::new(self.seed);
        let tally = Arc::new(Tally::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let mut accounts = Vec::new();
        let mut players = Vec::new();
        for user in 0..users {
            let account = Arc::new(Mutex::new(Account::default()));
            let mut playing = JoinSet::new();
            for player in 0..PLAYERS_PER_USER {
                let player = Player {
                    user: user_name(user),
                    name: format!("p{player}"),
                    nodes: self.clients().await,
                    random: Random::new(random.next()),
                    account: Arc::clone(&account),
                    tally: Arc::clone(&tally),
                    sessions: Vec::new(),
                    stops: 0,
                };
                playing.spawn(player.play(Arc::clone(&is_over)));
            }
            accounts.push(account);
            players.push(playing);
        }
        let observing = observe(self.clean, accounts, Arc::clone(&is_over));
        let observing = tokio::spawn(observing);
        self.change_disturbance(&mut random, &tally).await;
        is_over.store(true, Ordering::Relaxed);
        let mut known = Vec::new();
        for playing in players {
            known.push(playing.join_all().await.concat());
        }
        let lists = observing.await.unwrap();
        let recovered = self.recover().await;
        let mut clean = Client::connect(self.clean).await.unwrap();
        let mut nodes = self.clients().await;
        for (user, sessions) in known.into_iter().enumerate() {
            settle(&mut clean, &mut nodes, &user_name(user), sessions).await;
        }
        let spoiled: Vec<_> = self.proxies.iter().map(Proxy::spoiled).collect();
        println!("{tally:?}, {lists} lists, spoiled {spoiled:?}, recovered in {recovered:?}");
    }

    async fn clients(&self) -> Vec<(Client, Duration)> {
        let mut clients = Vec::new();
        for (node, deadline) in &self.spoiled {
            clients.push((Client::connect(*node).await.unwrap(), *deadline));
        }
        clients
    }

    /// Lets each proxy cause every disturbance, in an order of its own, until every kind of fault
    /// has happened and the players were told enough: a storm in which little went well, or little
    /// badly, would prove little.
    async fn change_disturbance(&self, random: &mut Random, tally: &Tally) {
        let mut orders = Vec::new();
        for spell in 0..SPELLS_MAX {
            if spell >= self.spells && self.has_spoiled_everything() && tally.is_enough() {
                return;
            }
            let turn = spell % Disturbance::COUNT;
            if turn == 0 {
                let shuffled = self.proxies.iter().map(|_| Disturbance::shuffled(random));
                orders = shuffled.collect();
            }
            for (proxy, order) in self.proxies.iter().zip(&orders) {
                proxy.set(order[turn]);
            }
            tokio::time::sleep(self.spell).await;
        }
        panic!("too little happens: {tally:?}");
    }

    fn has_spoiled_everything(&self) -> bool {
        let spoiled: Vec<_> = self.proxies.iter().map(Proxy::spoiled).collect();
        (0..4).all(|kind| spoiled.iter().any(|counts| counts[kind] > 0))
    }

    /// Ends the storm, and waits until every node serves again; returns how long that took.
    async fn recover(&self) -> Duration {
        for proxy in &self.proxies {
            proxy.set(Disturbance::None);
        }
        let waited = Stopwatch::start();
        for (mut node, _) in self.clients().await {
            while node.send("GET", "/readyz", None).await.unwrap().status != 200 {
                assert!(waited.elapsed() < RECOVERY_MAX, "a node stays away");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        waited.elapsed()
    }
}

fn user_name(user: usize) -> String {
    format!("u{user}")
}
