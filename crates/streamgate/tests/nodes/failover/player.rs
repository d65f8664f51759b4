//! A player that starts, renews and stops sessions of many users without pause, and records the
//! answers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::{Answer, Client};

use super::account::{Account, Fate, Told};
use super::{LATE_USERS, LIMIT, PATIENCE, USERS};

/// After an answer that the store cannot be used, a player waits so long: less than `Retry-After`
/// says, so that it hears soon when it can.
const RETRY: Duration = Duration::from_millis(10);

/// What the players of one kind share.
#[derive(Debug)]
pub(super) struct Shared {
    /// What the names of their users begin with.
    pub(super) kind: &'static str,
    pub(super) watch: Stopwatch,
    /// Whether they call about late users.
    pub(super) late: AtomicBool,
    pub(super) over: AtomicBool,
    /// How many answers were errors so far.
    pub(super) errors: AtomicU64,
    /// How many starts each node has acknowledged so far, by user.
    pub(super) starts: [Vec<AtomicU64>; 2],
}

impl Shared {
    pub(super) fn user(&self, user: usize) -> String {
        format!("{}-{user}", self.kind)
    }
}

/// One who calls one node.
pub(super) struct Player {
    client: Client,
    /// Tells its sessions from those of others.
    number: usize,
    shared: Arc<Shared>,
    users: Vec<Mine>,
    account: Account,
}

/// What a player has to do with one user.
#[derive(Debug, Default)]
struct Mine {
    turns: u32,
    /// Its live sessions, oldest first, by their place in the account.
    live: Vec<usize>,
    /// What was not answered well, and has to be asked again.
    in_doubt: Option<Call>,
}

#[derive(Debug)]
enum Call {
    Start(String),
    Stop(usize),
}

impl Player {
    pub(super) async fn new(node: SocketAddr, number: usize, shared: Arc<Shared>) -> Self {
        Self {
            client: Client::connect(node).await.unwrap(),
            number,
            shared,
            users: (0..USERS).map(|_| Mine::default()).collect(),
            account: Account::default(),
        }
    }

    /// Calls for one user after the other until it is over.
    pub(super) async fn play(mut self) -> Self {
        for user in (0..USERS).cycle().skip(self.number * 7) {
            if self.shared.over.load(Ordering::Relaxed) {
                break;
            }
            let is_quiet = user < LATE_USERS && !self.shared.late.load(Ordering::Relaxed);
            if !is_quiet && !self.visit(user).await {
                tokio::time::sleep(RETRY).await;
            }
        }
        self
    }

    /// Calls once for a user; whether the store could be used.
    async fn visit(&mut self, user: usize) -> bool {
        let mine = &mut self.users[user];
        match mine.in_doubt.take() {
            Some(Call::Start(session)) => return self.start(user, session).await,
            Some(Call::Stop(told)) => return self.stop(told).await,
            None => {}
        }
        mine.turns += 1;
        let turn = mine.turns;
        match (turn % 3, mine.live.first().copied()) {
            (1, Some(oldest)) => self.renew(oldest).await,
            (2, Some(oldest)) => self.stop(oldest).await,
            _ => {
                let session = format!("p{}-{turn}", self.number);
                self.start(user, session).await
            }
        }
    }

    async fn start(&mut self, user: usize, session: String) -> bool {
        let sent = self.shared.watch.elapsed();
        let name = self.shared.user(user);
        let answer = self.client.start(&name, &session).await.unwrap();
        match answer.status {
            200 | 201 => {
                let active = answer.json()["active"].as_u64().unwrap();
                assert!(active <= LIMIT as u64, "{answer:?}");
                self.shared.starts[self.number % 2][user].fetch_add(1, Ordering::Relaxed);
                self.users[user].live.push(self.account.told.len());
                self.account.told.push(Told {
                    user,
                    session,
                    sent,
                    from: self.shared.watch.elapsed(),
                    until: None,
                    fate: Fate::Live,
                });
            }
            409 => {
                assert_eq!(answer.code(), "limit_reached");
                self.account.refused += 1;
            }
            _ => {
                self.users[user].in_doubt = Some(Call::Start(session));
                return self.failed(&answer);
            }
        }
        true
    }

    /// A heartbeat. Where the session is unknown, it is to be started again.
    async fn renew(&mut self, told: usize) -> bool {
        let Told { user, session, .. } = self.account.told[told].clone();
        let name = self.shared.user(user);
        let answer = self.client.heartbeat(&name, &session).await.unwrap();
        match answer.status {
            200 => self.account.renewed += 1,
            404 => {
                assert_eq!(answer.code(), "session_unknown");
                let now = self.shared.watch.elapsed();
                self.ends(told, Fate::Forgotten, now);
                self.users[user].in_doubt = Some(Call::Start(session));
            }
            _ => return self.failed(&answer),
        }
        true
    }

    async fn stop(&mut self, told: usize) -> bool {
        let Told { user, session, .. } = self.account.told[told].clone();
        let now = self.shared.watch.elapsed();
        self.ends(told, Fate::Stopping, now);
        let name = self.shared.user(user);
        let answer = self.client.stop(&name, &session).await.unwrap();
        self.account.told[told].fate = match answer.status {
            204 => Fate::Stopped(self.shared.watch.elapsed()),
            404 => Fate::Forgotten,
            _ => {
                self.users[user].in_doubt = Some(Call::Stop(told));
                return self.failed(&answer);
            }
        };
        true
    }

    /// From now on the player believes no longer that the session is live.
    fn ends(&mut self, told: usize, fate: Fate, now: Duration) {
        let entry = &mut self.account.told[told];
        entry.until.get_or_insert(now);
        entry.fate = fate;
        self.users[entry.user].live.retain(|live| *live != told);
    }

    fn failed(&mut self, answer: &Answer) -> bool {
        let status = answer.status;
        assert!(status >= 500, "{answer:?}");
        *self.account.errors.entry(status).or_default() += 1;
        self.shared.errors.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Calls once about everything, through this node: what is in doubt until it is known, and
    /// every session that is believed live.
    pub(super) async fn settle(&mut self, node: SocketAddr) {
        self.client = Client::connect(node).await.unwrap();
        for user in 0..USERS {
            self.clear_up(user).await;
            for told in self.users[user].live.clone() {
                while !self.renew(told).await {
                    self.wait().await;
                }
                self.clear_up(user).await;
            }
        }
    }

    /// Looks after every session of these users whose stop was acknowledged in this time: whether
    /// it has ended.
    pub(super) async fn look_after(&mut self, users: &BTreeSet<usize>, time: Range<Duration>) {
        for told in 0..self.account.told.len() {
            let Told { user, fate, .. } = &self.account.told[told];
            if let Fate::Stopped(at) = *fate
                && users.contains(user)
                && time.contains(&at)
            {
                self.account.told[told].fate = self.fate_of_stopped(told, at).await;
            }
        }
    }

    /// Repeats what is in doubt until it is known.
    async fn clear_up(&mut self, user: usize) {
        while self.users[user].in_doubt.is_some() {
            if !self.visit(user).await {
                self.wait().await;
            }
        }
    }

    async fn wait(&self) {
        let now = self.shared.watch.elapsed();
        assert!(now < PATIENCE, "the store does not come back: {now:?}");
        tokio::time::sleep(RETRY).await;
    }

    async fn fate_of_stopped(&mut self, told: usize, at: Duration) -> Fate {
        let Told { user, session, .. } = self.account.told[told].clone();
        let name = self.shared.user(user);
        let answer = self.client.heartbeat(&name, &session).await.unwrap();
        match answer.status {
            410 => Fate::Stopped(at),
            404 => Fate::Forgotten,
            200 => Fate::LiveAgain(at),
            _ => panic!("{answer:?}"),
        }
    }

    /// All that it was told.
    pub(super) fn account(self) -> Account {
        self.account
    }
}
