//! Many heartbeats in one call: one decision and one commit for each user, whatever their number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;
use streamgate_core::UserKey;
use streamgate_core::admission::{Command, Heartbeat, HeartbeatOutcome, Heartbeats};

use crate::engine::{Engine, decide_on};
use crate::error::EngineError;
use crate::fail_open::Answered;
use crate::pace::Pace;
use crate::side_by_side::side_by_side;

/// What a heartbeat is answered.
type Beaten = Result<Answered<HeartbeatOutcome>, EngineError>;

impl Engine {
    /// Renews the lease of a session.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn heartbeat(&self, user: &UserKey, heartbeat: &Heartbeat) -> Beaten {
        match self.heartbeat_now(user, heartbeat, &mut 0) {
            Some(told) => told,
            // Boxed, because a heartbeat that is answered at once would move its kilobytes as well.
            None => Box::pin(self.heartbeat_waiting(user, heartbeat)).await,
        }
    }

    /// Renews the leases of many sessions, at most [`BATCH_ENTRIES_MAX`] and of any users. `tell`
    /// makes of each outcome what the caller keeps of it. The results are in the order of the
    /// heartbeats, and each is what the heartbeat is told on its own.
    ///
    /// The heartbeats of one user are decided at once, and their changes are one commit. Users that
    /// the store answers at once are answered one after the other; the others wait side by side.
    ///
    /// [`BATCH_ENTRIES_MAX`]: streamgate_core::bounds::BATCH_ENTRIES_MAX
    pub async fn heartbeats<T>(
        &self,
        batch: &[(UserKey, Heartbeat)],
        tell: impl Fn(Answered<HeartbeatOutcome>) -> T,
    ) -> Vec<Result<T, EngineError>> {
        let mut results: Vec<Option<Result<T, EngineError>>> = Vec::new();
        results.resize_with(batch.len(), || None);
        let mut keep = |at: usize, beaten: Beaten| results[at] = Some(beaten.map(&tell));
        let users = ByUser::of(batch, |(user, beat)| {
            self.admitted_without_store(user, &beat.id).is_some()
        });
        let (mut waiting, mut pace) = (Vec::new(), Pace::default());
        for &first in &users.firsts {
            let mut read_bytes = 0;
            let (user, heartbeat) = &batch[first];
            if users.is_alone(first) {
                match self.heartbeat_now(user, heartbeat, &mut read_bytes) {
                    Some(beaten) => keep(first, beaten),
                    None => waiting.push(vec![first]),
                }
            } else {
                let places: Vec<usize> = users.places(first).collect();
                match self.several_now(batch, &places, &mut read_bytes) {
                    Some(beaten) => places.iter().zip(beaten).for_each(|(at, b)| keep(*at, b)),
                    None => waiting.push(places),
                }
            }
            pace.keep_exactly(read_bytes).await;
        }
        let running = waiting.iter().map(|places| self.waiting(batch, places));
        for (places, beaten) in waiting.iter().zip(side_by_side(running).await) {
            places.iter().zip(beaten).for_each(|(at, b)| keep(*at, b));
        }
        let results = results.into_iter();
        results
            .map(|result| result.expect("each heartbeat was answered, at once or later"))
            .collect()
    }

    /// The answer to a heartbeat that can be given at once; `None` where it cannot, and nothing has
    /// changed.
    fn heartbeat_now(
        &self,
        user: &UserKey,
        heartbeat: &Heartbeat,
        read_bytes: &mut usize,
    ) -> Option<Beaten> {
        if self.admitted_without_store(user, &heartbeat.id).is_some() {
            return None;
        }
        let recalled = self.recalled(user, heartbeat);
        let decided = match recalled.filter(is_renewed) {
            Some(outcome) => Ok(outcome),
            None => self.execute_now(user, heartbeat, read_bytes)?,
        };
        Some(self.or_go_on(user, &heartbeat.id, decided))
    }

    /// The same for one that [`heartbeat_now`](Self::heartbeat_now) cannot answer.
    async fn heartbeat_waiting(&self, user: &UserKey, heartbeat: &Heartbeat) -> Beaten {
        let decided = match self.admitted_without_store(user, &heartbeat.id) {
            Some(start) => self.adopt(user, start).await,
            None => self.execute(user, heartbeat).await,
        };
        self.or_go_on(user, &heartbeat.id, decided)
    }

    /// The answers to the heartbeats at these places, all of one user, if they can be given at
    /// once.
    fn several_now(
        &self,
        batch: &[(UserKey, Heartbeat)],
        places: &[usize],
        read_bytes: &mut usize,
    ) -> Option<Vec<Beaten>> {
        let user = &batch[*places.first()?].0;
        let command = several(batch, places);
        let recalled = self.recalled(user, &command);
        let decided = match recalled.filter(|outcomes| outcomes.iter().all(is_renewed)) {
            Some(outcomes) => Ok(outcomes),
            None => self.execute_now(user, &command, read_bytes)?,
        };
        Some(self.each_or_go_on(user, &command, decided))
    }

    /// The answers to the heartbeats at these places, all of one user, that cannot be given at once.
    async fn waiting(&self, batch: &[(UserKey, Heartbeat)], places: &[usize]) -> Vec<Beaten> {
        let (user, heartbeat) = &batch[places[0]];
        if places.len() == 1 {
            return vec![self.heartbeat_waiting(user, heartbeat).await];
        }
        let command = several(batch, places);
        let decided = self.execute(user, &command).await;
        self.each_or_go_on(user, &command, decided)
    }

    /// The store's answer to several heartbeats, or what each is told where it has none.
    fn each_or_go_on(
        &self,
        user: &UserKey,
        command: &Heartbeats,
        decided: Result<Vec<HeartbeatOutcome>, EngineError>,
    ) -> Vec<Beaten> {
        let each: Vec<Result<HeartbeatOutcome, EngineError>> = match decided {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); command.ids.len()],
        };
        let each = command.ids.iter().zip(each);
        each.map(|(id, decided)| self.or_go_on(user, id, decided))
            .collect()
    }

    /// The outcome of heartbeats that the policy lets go unwritten, where this node wrote the ones
    /// before and remembers them: their leases last for these as well, whatever others did since. If
    /// they ended a session, its player hears so with the next heartbeat that is written.
    fn recalled<C: Command>(&self, user: &UserKey, command: &C) -> Option<C::Outcome> {
        let policy = self.policy();
        if policy.heartbeat_write_interval.0 == 0 {
            return None;
        }
        let mut recalled = None;
        self.store.recall(user, &mut |view| {
            let decided = decide_on(view, &policy, command).ok();
            recalled = decided.filter(|decision| decision.events.is_empty());
        });
        Some(recalled?.outcome)
    }
}

/// The heartbeats at these places as one command.
fn several(batch: &[(UserKey, Heartbeat)], places: &[usize]) -> Heartbeats {
    let ids = places.iter().map(|at| batch[*at].1.id.clone());
    Heartbeats { ids: ids.collect() }
}

fn is_renewed(outcome: &HeartbeatOutcome) -> bool {
    matches!(outcome, HeartbeatOutcome::Renewed { .. })
}

/// The entries of a batch by user, each user's in their order.
struct ByUser {
    /// The first entry of each user.
    firsts: Vec<usize>,
    /// Behind each entry the next one of the same user; empty where each user has one entry.
    nexts: Vec<Option<usize>>,
}

impl ByUser {
    /// Entries that `stand_alone` count as a user each.
    fn of<E>(batch: &[(UserKey, E)], stand_alone: impl Fn(&(UserKey, E)) -> bool) -> Self {
        let mut firsts = Vec::with_capacity(batch.len());
        let mut nexts = Vec::new();
        let mut lasts: HashMap<&[u8], usize, RandomState> =
            HashMap::with_capacity_and_hasher(batch.len(), RandomState::default());
        for (at, entry) in batch.iter().enumerate() {
            if stand_alone(entry) {
                firsts.push(at);
                continue;
            }
            match lasts.entry(entry.0.as_bytes()) {
                Entry::Vacant(place) => {
                    place.insert(at);
                    firsts.push(at);
                }
                Entry::Occupied(mut last) => {
                    if nexts.is_empty() {
                        nexts.resize(batch.len(), None);
                    }
                    nexts[last.insert(at)] = Some(at);
                }
            }
        }
        Self { firsts, nexts }
    }

    /// Whether it is the only entry of its user.
    fn is_alone(&self, first: usize) -> bool {
        self.next(first).is_none()
    }

    /// The entries of the user whose first one this is.
    fn places(&self, first: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(first), |at| self.next(*at))
    }

    fn next(&self, at: usize) -> Option<usize> {
        self.nexts.get(at).copied().flatten()
    }
}
