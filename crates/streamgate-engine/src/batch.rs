//! Heartbeats, one or many in a call: one decision and one commit for each user, whatever their
//! number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use foldhash::fast::RandomState;
use streamgate_core::admission::{Heartbeat, HeartbeatOutcome, Heartbeats, Start};
use streamgate_core::{SessionId, UserKey};
use tokio::sync::SemaphorePermit;
use tokio::task::yield_now;

use crate::call::Call;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::fail_open::Answered;
use crate::join_all::join_all_yielding;
use crate::observer::Answer;
use crate::yield_budget::YieldBudget;

/// This many heartbeats of one user in a batch, or more, are a crowd: to decide them keeps a thread
/// for long, because their record can have a thousand sessions.
const CROWD: usize = 64;

/// The answer to a heartbeat.
type Beaten = Result<Answered<HeartbeatOutcome>, EngineError>;

impl Engine {
    /// Renews the lease of a session.
    ///
    /// If the store cannot be used and the engine fails open, the session is renewed without the
    /// store.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn heartbeat(&self, user: &UserKey, heartbeat: &Heartbeat) -> Beaten {
        self.beat(user, heartbeat, None).await
    }

    /// Renews the leases of many sessions, at most [`BATCH_ENTRIES_MAX`] and of any users. `tell`
    /// maps each outcome to what the caller keeps of it. The results are in the order of the
    /// heartbeats, and each is what the heartbeat would be answered on its own.
    ///
    /// The heartbeats of one user are one decision and one commit. Calls that the store answers
    /// without waiting are made one after the other; the rest wait concurrently. Many heartbeats of
    /// one user wait for their turn among those of all batches.
    ///
    /// [`BATCH_ENTRIES_MAX`]: streamgate_core::bounds::BATCH_ENTRIES_MAX
    pub async fn heartbeats<T>(
        &self,
        batch: &[(UserKey, Heartbeat)],
        tell: impl Fn(Answered<HeartbeatOutcome>) -> T,
    ) -> Vec<Result<T, EngineError>> {
        let mut results: Vec<Option<Result<T, EngineError>>> = Vec::new();
        results.resize_with(batch.len(), || None);
        let users = ByUser::of(batch, |(user, beat)| {
            self.admitted_without_store(user, &beat.id).is_some()
        });
        let mut keep = |first, answers: Vec<Beaten>| {
            for (at, answer) in users.places(first).zip(answers) {
                results[at] = Some(answer.map(&tell));
            }
        };
        // What a call decodes in its first poll, also if it waits for the disk behind that.
        let read_bytes = AtomicUsize::new(0);
        let (mut waiting, mut budget) = (Vec::new(), YieldBudget::default());
        // The allocation of the last call that was answered without waiting, for the next one.
        let mut spare = None;
        for &first in &users.firsts {
            let mut call = pinned(self.beats(batch, &users, first, &read_bytes), spare.take());
            let permit = self.crowd_permit(&users, first).await;
            let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
            // Not kept while the call waits for a store that may not answer.
            drop(permit);
            match polled {
                Poll::Ready(answers) => {
                    keep(first, answers);
                    spare = Some(call);
                    let read_bytes = read_bytes.swap(0, Ordering::Relaxed);
                    budget.spend_exactly(read_bytes).await;
                }
                Poll::Pending => {
                    waiting.push((first, call));
                    budget.spend(read_bytes.swap(0, Ordering::Relaxed)).await;
                }
            }
        }
        let (firsts, calls): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        for (first, answers) in firsts.into_iter().zip(join_all_yielding(calls).await) {
            keep(first, answers);
        }
        let results = results.into_iter();
        results
            .map(|result| result.expect("each heartbeat was answered, at once or later"))
            .collect()
    }

    /// The permission to decide the heartbeats of a user, if they are many.
    async fn crowd_permit(&self, users: &ByUser, first: usize) -> Option<SemaphorePermit<'_>> {
        users.places(first).nth(CROWD - 1)?;
        let permit = self.crowd_permits.acquire().await;
        // As for a page of a list: the thread polls its sockets before this task goes on.
        yield_now().await;
        Some(permit.expect("the semaphore is never closed"))
    }

    /// The answers to the heartbeats of one user; `first` is the index of the first.
    async fn beats(
        &self,
        batch: &[(UserKey, Heartbeat)],
        users: &ByUser,
        first: usize,
        read_bytes: &AtomicUsize,
    ) -> Vec<Beaten> {
        let (user, heartbeat) = &batch[first];
        if users.is_alone(first) {
            return vec![self.beat(user, heartbeat, Some(read_bytes)).await];
        }
        let ids = users.places(first).map(|at| batch[at].1.id.clone());
        let command = Heartbeats { ids: ids.collect() };
        let mut call = Call::new(self, user, &command)
            .accepting_cached(|outcomes| outcomes.iter().all(is_renewed))
            .counting(Some(read_bytes));
        let decided = self.finish(&mut call).await;
        self.each_or_renew(user, &command, decided)
    }

    /// The answer to one heartbeat. Adds the size of the records that were decoded to `read_bytes`.
    async fn beat(
        &self,
        user: &UserKey,
        heartbeat: &Heartbeat,
        read_bytes: Option<&AtomicUsize>,
    ) -> Beaten {
        if let Some(open) = &self.fail_open
            && let Some(start) = self.admitted_without_store(user, &heartbeat.id)
        {
            // Boxed, because the futures of all heartbeats would grow by it.
            let decided = Box::pin(self.adopt(open, user, start)).await;
            return self.or_renew(user, &heartbeat.id, decided);
        }
        let call = Call::new(self, user, heartbeat).accepting_cached(is_renewed);
        let decided = self.finish(&mut call.counting(read_bytes)).await;
        self.or_renew(user, &heartbeat.id, decided)
    }

    /// The start of a session that this node admitted without the store.
    fn admitted_without_store(&self, user: &UserKey, id: &SessionId) -> Option<Start> {
        self.fail_open.as_ref()?.find(user, id)
    }

    /// The store's answers to several heartbeats, or answers without it.
    fn each_or_renew(
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
        each.map(|(id, decided)| self.or_renew(user, id, decided))
            .collect()
    }

    /// The store's answer to a heartbeat, or, if it has none and the engine fails open, an answer
    /// without it.
    fn or_renew(
        &self,
        user: &UserKey,
        id: &SessionId,
        decided: Result<HeartbeatOutcome, EngineError>,
    ) -> Beaten {
        match (decided, &self.fail_open) {
            (Ok(outcome), _) => {
                self.observer.answered(Answer::Heartbeat(&outcome));
                Ok(outcome.into())
            }
            (Err(error), Some(open)) if error.is_retryable() => {
                let outcome = open.renew(user, id, &self.policy(), self.wall(), &error);
                self.observer.answered(Answer::DegradedHeartbeat);
                Ok(Answered::degraded(outcome))
            }
            (Err(error), _) => self.told(user, Err(error)),
        }
    }
}

/// Pins a future, in the allocation of an earlier one if there is one.
fn pinned<F>(future: F, spare: Option<Pin<Box<F>>>) -> Pin<Box<F>> {
    match spare {
        Some(mut spare) => {
            spare.set(future);
            spare
        }
        None => Box::pin(future),
    }
}

fn is_renewed(outcome: &HeartbeatOutcome) -> bool {
    matches!(outcome, HeartbeatOutcome::Renewed { .. })
}

/// The entries of a batch by user, each user's in their order.
struct ByUser {
    /// The first entry of each user.
    firsts: Vec<usize>,
    /// For each entry, the next one of the same user. Empty if each user has one entry.
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

    /// Whether the user has one entry only.
    fn is_alone(&self, first: usize) -> bool {
        self.next(first).is_none()
    }

    /// The entries of one user; `first` is the index of the first.
    fn places(&self, first: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(first), |at| self.next(*at))
    }

    fn next(&self, at: usize) -> Option<usize> {
        self.nexts.get(at).copied().flatten()
    }
}
