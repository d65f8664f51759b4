//! What players were told of their sessions, and what is stored after the failover.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A session of which a player was told that it has started. All times are since the test began.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) user: usize,
    pub(super) session: String,
    /// When the start was sent.
    pub(super) sent: Duration,
    /// When it was acknowledged.
    pub(super) from: Duration,
    /// Until when the player believed in it.
    pub(super) until: Option<Duration>,
    pub(super) fate: Fate,
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is live, as far as its player knows.
    Live,
    /// A stop was sent, and not answered so far.
    Stopping,
    /// The stop was acknowledged, at this time.
    Stopped(Duration),
    /// The store knows nothing of it.
    Forgotten,
    /// The stop was acknowledged, at this time, and afterwards the session was live.
    LiveAgain(Duration),
}

/// What all players of one kind were told.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) told: Vec<Told>,
    /// How many starts were refused because of the limit.
    pub(super) refused: u64,
    /// How many heartbeats were acknowledged.
    pub(super) renewed: u64,
    /// Answers that were errors, by their status.
    pub(super) errors: BTreeMap<u16, u64>,
}

impl Account {
    /// Takes over what one player was told.
    pub(super) fn add(&mut self, other: Self) {
        self.told.extend(other.told);
        self.refused += other.refused;
        self.renewed += other.renewed;
        for (status, count) in other.errors {
            *self.errors.entry(status).or_default() += count;
        }
    }

    /// How many acknowledged starts the store knows nothing of.
    pub(super) fn forgotten(&self) -> usize {
        let is_forgotten = |told: &&Told| told.fate == Fate::Forgotten;
        self.told.iter().filter(is_forgotten).count()
    }

    /// The same of one user.
    pub(super) fn forgotten_of(&self, user: usize) -> usize {
        let is_one = |told: &&Told| told.user == user && told.fate == Fate::Forgotten;
        self.told.iter().filter(is_one).count()
    }

    /// How many acknowledged stops had no effect.
    pub(super) fn live_again(&self) -> usize {
        let is_live_again = |told: &&Told| matches!(told.fate, Fate::LiveAgain(_));
        self.told.iter().filter(is_live_again).count()
    }

    /// The longest time between two acknowledged starts of these users.
    pub(super) fn longest_gap(&self, users: &BTreeSet<usize>) -> Option<Duration> {
        let of_users = self.told.iter().filter(|told| users.contains(&told.user));
        let mut times: Vec<Duration> = of_users.map(|told| told.from).collect();
        times.sort();
        times.windows(2).map(|pair| pair[1] - pair[0]).max()
    }

    /// How many starts of these users were sent after the one time and acknowledged before the
    /// other.
    pub(super) fn starts_between(
        &self,
        users: &BTreeSet<usize>,
        after: Duration,
        before: Duration,
    ) -> usize {
        let is_one =
            |told: &&Told| users.contains(&told.user) && told.sent > after && told.from < before;
        self.told.iter().filter(is_one).count()
    }

    /// When the first start of these users was acknowledged that was sent after this time.
    pub(super) fn first_start_sent_after(
        &self,
        time: Duration,
        users: &BTreeSet<usize>,
    ) -> Option<Duration> {
        let is_one = |told: &&Told| users.contains(&told.user) && told.sent > time;
        self.told.iter().filter(is_one).map(|told| told.from).min()
    }

    /// By how many sessions each user was over the limit at worst, as its players saw it: each
    /// counts from its acknowledgement until its player sent a stop or heard that it is unknown.
    pub(super) fn over_limit(&self, limit: usize) -> BTreeMap<usize, usize> {
        let mut changes: BTreeMap<usize, Vec<(Duration, i32)>> = BTreeMap::new();
        for told in &self.told {
            let changes = changes.entry(told.user).or_default();
            changes.push((told.from, 1));
            changes.extend(told.until.map(|until| (until, -1)));
        }
        let worst = |mut changes: Vec<(Duration, i32)>| {
            // Of what happened at the same time, ends come first.
            changes.sort();
            let running = changes.iter().scan(0, |live, (_, change)| {
                *live += change;
                Some(*live)
            });
            usize::try_from(running.max().unwrap_or(0)).unwrap()
        };
        let over = changes
            .into_iter()
            .map(|(user, changes)| (user, worst(changes).saturating_sub(limit)));
        over.filter(|(_, over)| *over > 0).collect()
    }
}
