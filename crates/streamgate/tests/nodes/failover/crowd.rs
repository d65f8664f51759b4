//! Players of one kind, and the nodes that they call.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::Client;
use tokio::task::JoinHandle;

use super::account::{Account, Fate};
use super::player::{Player, Shared};
use super::{LATE_USERS, LIMIT, PATIENCE, PLAYERS, USERS};
use crate::nodes::Nodes;

/// When nodes acknowledge a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As soon as the primary has it.
    Plain,
    /// When a replica has it.
    Careful,
}

/// Waits for a replica, though not for long.
const CAREFUL: [&str; 4] = [
    "--set",
    "store.redis.wait_replicas=1",
    "--set",
    "store.redis.wait_timeout_ms=200",
];

/// Players of one kind.
pub(super) struct Crowd {
    pub(super) kind: Kind,
    /// Users whose primary is going to die.
    pub(super) bereaved: BTreeSet<usize>,
    nodes: Nodes,
    shared: Arc<Shared>,
    playing: Vec<JoinHandle<Player>>,
    players: Vec<Player>,
}

impl Crowd {
    /// Two nodes over the store of this URL, and players that call them without pause.
    pub(super) async fn begin(kind: Kind, url: &str, watch: Stopwatch) -> Self {
        let (name, settings): (_, &[&str]) = match kind {
            Kind::Plain => ("plain", &[]),
            Kind::Careful => ("careful", &CAREFUL),
        };
        let counters = || (0..USERS).map(|_| AtomicU64::default()).collect();
        let shared = Arc::new(Shared {
            kind: name,
            watch,
            late: AtomicBool::default(),
            over: AtomicBool::default(),
            errors: AtomicU64::default(),
            starts: [counters(), counters()],
        });
        let nodes = Nodes::over_url(url, 2, settings);
        let mut client = Client::connect(nodes.servers[0].address).await.unwrap();
        for user in (0..LATE_USERS).map(|user| shared.user(user)) {
            // A replica may be late on a loaded machine.
            while client.start(&user, "before").await.unwrap().status == 503
                || client.stop(&user, "before").await.unwrap().status == 503
            {
                assert!(watch.elapsed() < PATIENCE, "no replica is in time");
            }
        }
        let mut playing = Vec::new();
        for number in 0..PLAYERS {
            let node = nodes.servers[number % 2].address;
            let player = Player::new(node, number, Arc::clone(&shared)).await;
            playing.push(tokio::spawn(player.play()));
        }
        Self {
            kind,
            bereaved: BTreeSet::new(),
            nodes,
            shared,
            playing,
            players: Vec::new(),
        }
    }

    pub(super) fn addresses(&self) -> [SocketAddr; 2] {
        [0, 1].map(|node| self.nodes.servers[node].address)
    }

    /// Whether a session of every user has started, late ones aside.
    pub(super) fn everybody_has_started(&self) -> bool {
        (LATE_USERS..USERS).all(|user| self.starts_of(user, None) > 0)
    }

    /// From now on players call about late users, too.
    pub(super) fn begin_late(&self) {
        self.shared.late.store(true, Ordering::Relaxed);
    }

    /// How many answers were errors so far.
    pub(super) fn errors(&self) -> u64 {
        self.shared.errors.load(Ordering::Relaxed)
    }

    /// Takes note of the users whose primary is going to die, by their names.
    pub(super) fn knows_bereaved(&mut self, names: &[String]) {
        self.bereaved = (0..USERS)
            .filter(|user| names.contains(&self.shared.user(*user)))
            .collect();
        assert!(self.bereaved.len() > USERS / 6, "{names:?}");
    }

    /// All other users.
    pub(super) fn others(&self) -> BTreeSet<usize> {
        let is_other = |user: &usize| !self.bereaved.contains(user);
        (0..USERS).filter(is_other).collect()
    }

    /// How many starts of the bereaved were acknowledged so far, by one node or by both.
    pub(super) fn starts_of_bereaved(&self, node: Option<usize>) -> u64 {
        let users = self.bereaved.iter();
        users.map(|user| self.starts_of(*user, node)).sum()
    }

    fn starts_of(&self, user: usize, node: Option<usize>) -> u64 {
        let nodes = (0..2).filter(|at| node.is_none_or(|node| node == *at));
        nodes
            .map(|node| self.shared.starts[node][user].load(Ordering::Relaxed))
            .sum()
    }

    /// Tells the players that it is over, and waits for them.
    pub(super) async fn call_off(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for player in self.playing.drain(..) {
            self.players.push(player.await.unwrap());
        }
    }

    /// Lets every player call once about everything, through these nodes, and look after sessions
    /// whose stop was acknowledged in the time `stopped`. Afterwards what players believe, what the
    /// nodes list and the limit agree.
    pub(super) async fn settle(
        &mut self,
        through: &[SocketAddr; 2],
        stopped: &Range<Duration>,
    ) -> Account {
        let mut settling = Vec::new();
        for (i, mut player) in self.players.drain(..).enumerate() {
            let (node, bereaved) = (through[i % 2], self.bereaved.clone());
            let stopped = stopped.clone();
            settling.push(tokio::spawn(async move {
                player.settle(node).await;
                player.look_after(&bereaved, stopped).await;
                player.account()
            }));
        }
        let mut account = Account::default();
        for player in settling {
            account.add(player.await.unwrap());
        }
        for node in through {
            self.agree(*node, &account).await;
        }
        account
    }

    /// Whether a node lists exactly what the players believe, within the limit.
    async fn agree(&self, node: SocketAddr, account: &Account) {
        let mut client = Client::connect(node).await.unwrap();
        for user in 0..USERS {
            let of_user = account.told.iter().filter(|told| told.user == user);
            let is_live = |fate| matches!(fate, Fate::Live | Fate::LiveAgain(_));
            let believed: BTreeSet<&str> = of_user
                .filter(|told| is_live(told.fate))
                .map(|told| told.session.as_str())
                .collect();
            let listed = client.live(&self.shared.user(user)).await.unwrap();
            assert!(listed.len() <= LIMIT, "{listed:?}");
            let listed: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
            assert_eq!(listed, believed, "{:?}, user {user}", self.kind);
        }
    }
}
