//! A player in a storm: its calls, their answers, and what it may conclude from them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::random::Random;
use streamgate_testkit::{Answer, Client};

use super::{SLACK, STOPS_PER_PLAYER};

/// The pause before its next call, at most, in milliseconds.
const THINKING_MAX_MS: u64 = 100;

/// What a player knows of a session. Each has an id that was never used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It was never sent.
    New,
    /// Its start was acknowledged, and no stop was sent.
    Live,
    /// Its start got no answer yet.
    Starting,
    /// Its stop got no answer yet; its start may have got none, either.
    Stopping { was_live: bool },
    /// Its stop was acknowledged.
    Stopped,
    /// Its start was refused.
    Refused,
    /// Its start got no answer, and a stop found nothing. The start may still be on its way.
    Abandoned,
}

/// What is known of the sessions of a user by all its players.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Acknowledged, and no stop was sent. Those that leave never come back.
    pub(super) live: BTreeSet<String>,
    /// The stop was acknowledged.
    pub(super) stopped: BTreeSet<String>,
}

/// How often what was answered.
#[derive(Debug, Default)]
pub(super) struct Tally {
    started: AtomicUsize,
    refused: AtomicUsize,
    renewed: AtomicUsize,
    stopped: AtomicUsize,
    unavailable: AtomicUsize,
    /// Starts that were acknowledged only when they were repeated.
    repeated: AtomicUsize,
    slowest_ms: AtomicUsize,
}

impl Tally {
    pub(super) fn is_enough(&self) -> bool {
        [
            (&self.started, 50),
            (&self.refused, 50),
            (&self.renewed, 50),
            (&self.stopped, 20),
            (&self.unavailable, 20),
            (&self.repeated, 1),
        ]
        .iter()
        .all(|(count, least)| count.load(Ordering::Relaxed) >= *least)
    }
}

pub(super) struct Player {
    pub(super) user: String,
    pub(super) name: String,
    /// With their deadlines.
    pub(super) nodes: Vec<(Client, Duration)>,
    pub(super) random: Random,
    pub(super) account: Arc<Mutex<Account>>,
    pub(super) tally: Arc<Tally>,
    pub(super) sessions: Vec<(String, Known)>,
    pub(super) stops: usize,
}

impl Player {
    /// Plays until the storm is over; returns what it knows.
    pub(super) async fn play(mut self, is_over: Arc<AtomicBool>) -> Vec<(String, Known)> {
        while !is_over.load(Ordering::Relaxed) {
            self.make_a_call().await;
            let ms = self.random.next() % (THINKING_MAX_MS + 1);
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        self.sessions
    }

    async fn make_a_call(&mut self) {
        let (id, known) = match self.sessions.last() {
            None | Some((_, Known::Stopped | Known::Refused | Known::Abandoned)) => {
                self.new_session()
            }
            Some(session) => session.clone(),
        };
        let dice = self.random.below(10);
        let may_stop = self.stops < STOPS_PER_PLAYER;
        let known = match known {
            Known::New => self.start(&id, known).await,
            Known::Starting if may_stop && dice < 3 => self.stop(&id, false).await,
            Known::Starting => self.start(&id, known).await,
            Known::Live if may_stop && dice < 2 => self.stop(&id, true).await,
            Known::Live if dice < 4 => self.start(&id, known).await,
            Known::Live => self.heartbeat(&id).await,
            Known::Stopping { was_live } => self.stop(&id, was_live).await,
            Known::Stopped | Known::Refused | Known::Abandoned => unreachable!("it is over"),
        };
        self.sessions.last_mut().unwrap().1 = known;
    }

    fn new_session(&mut self) -> (String, Known) {
        let id = format!("{}-{}", self.name, self.sessions.len());
        let session = (id, Known::New);
        self.sessions.push(session.clone());
        session
    }

    async fn start(&mut self, id: &str, known: Known) -> Known {
        let answer = self.call("PUT", id, "").await;
        match (answer.status, known) {
            (201, Known::New) => {}
            (200 | 201, Known::Starting) => count(&self.tally.repeated),
            (409, Known::New | Known::Starting) => {
                assert_eq!(answer.code(), "limit_reached", "{answer:?}");
                count(&self.tally.refused);
                return Known::Refused;
            }
            (503, Known::New | Known::Starting) => return Known::Starting,
            (200 | 503, Known::Live) => return Known::Live,
            _ => panic!("start of {id}, {known:?}: {answer:?}"),
        }
        count(&self.tally.started);
        self.account.lock().unwrap().live.insert(id.to_owned());
        Known::Live
    }

    async fn heartbeat(&mut self, id: &str) -> Known {
        let answer = self.call("POST", id, "/heartbeat").await;
        match answer.status {
            200 => count(&self.tally.renewed),
            503 => {}
            _ => panic!("heartbeat of {id}, which is live: {answer:?}"),
        }
        Known::Live
    }

    async fn stop(&mut self, id: &str, was_live: bool) -> Known {
        self.account.lock().unwrap().live.remove(id);
        let answer = self.call("DELETE", id, "").await;
        match answer.status {
            204 => {
                count(&self.tally.stopped);
                self.stops += 1;
                self.account.lock().unwrap().stopped.insert(id.to_owned());
                Known::Stopped
            }
            404 if !was_live => Known::Abandoned,
            503 => Known::Stopping { was_live },
            _ => panic!("stop of {id}, was live: {was_live}: {answer:?}"),
        }
    }

    /// Calls any node. Whatever it answers, it does so in time, and an error says when to come
    /// back.
    async fn call(&mut self, method: &str, id: &str, rest: &str) -> Answer {
        let node = self.random.below(self.nodes.len());
        let (client, deadline) = &mut self.nodes[node];
        let path = format!("/v1/users/{}/sessions/{id}{rest}", self.user);
        let waited = Stopwatch::start();
        let answer = client.send(method, &path, None).await.unwrap();
        let waited = waited.elapsed();
        assert!(waited < *deadline + SLACK, "{waited:?}: {answer:?}");
        let ms = usize::try_from(waited.as_millis()).unwrap();
        self.tally.slowest_ms.fetch_max(ms, Ordering::Relaxed);
        if answer.status == 503 {
            count(&self.tally.unavailable);
            assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
        }
        answer
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}
