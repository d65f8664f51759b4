//! Load, run the step, commit on the version; and again where somebody else was quicker.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use streamgate_core::{TenantId, UserKey};
use tokio::sync::Mutex;

use super::format::{Format, NewerFormat};
use super::in_flight::{Answered, Detached, InFlight};
use super::recent::{Last, Recent, Written};
use super::{Committed, Loaded, Speculation, Version, VersionedStore, Write};
use crate::port::{BoxFuture, Cursor, Page, Store, StoreError, Swept, View};
use crate::step::Step;

/// How many queues the calls of this node share: one per user, nearly always.
const QUEUES: usize = 1_024;

/// So many conflicts of one call are bad luck; after them it waits a little before it tries again.
const CONFLICTS_BEFORE_WAITING: u32 = 3;

/// The longest such wait, in milliseconds.
const WAIT_MAX_MS: u64 = 64;

/// A [`Store`] over a [`VersionedStore`].
///
/// Calls of this node about one user wait for each other here, so that only nodes compete, and a
/// server that counts failed writes is asked for few. Where a node is the only one to write a
/// record, as with a balancer that sends a user's calls to one node, it commits on what it wrote
/// last, without a load, as far as the server goes along with it ([`Speculation`]). Where the answer to a
/// commit is lost, it finds out as far as the version can tell; only where another wrote as well is
/// the outcome unknown. How long a call may take in all its caller bounds, by dropping it; a commit
/// that is on its way by then runs on, and its outcome goes to the callback of the step.
pub struct Optimistic<S> {
    remote: Arc<S>,
    queues: Box<[Mutex<()>]>,
    recent: Recent,
    detached: Detached,
    hasher: RandomState,
    closed: AtomicBool,
    format: Format,
}

impl<S: VersionedStore> Optimistic<S> {
    /// A store over this one.
    #[must_use]
    pub fn new(remote: S) -> Self {
        Self {
            remote: Arc::new(remote),
            queues: (0..QUEUES).map(|_| Mutex::new(())).collect(),
            recent: Recent::new(),
            detached: Detached::new(),
            hasher: RandomState::new(),
            closed: AtomicBool::new(false),
            format: Format::unknown(),
        }
    }

    /// What it stands on.
    #[must_use]
    pub fn remote(&self) -> &S {
        &self.remote
    }

    /// Reads the format mark. While it names a version that this program cannot read, every call is
    /// refused.
    ///
    /// # Errors
    /// Where it cannot be read; then what it said last goes on to hold.
    pub async fn look_at_format(&self) -> Result<Result<(), NewerFormat>, StoreError> {
        self.format.learn(self.remote.format_mark().await?);
        Ok(self.format.check())
    }

    fn check_open(&self) -> Result<(), StoreError> {
        self.check_not_closed()?;
        Ok(self.format.check()?)
    }

    fn check_not_closed(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the store is closed".to_owned()));
        }
        Ok(())
    }

    fn queue(&self, key: &UserKey) -> &Mutex<()> {
        let hash = self.hasher.hash_one(key.as_bytes());
        let queues = self.queues.len() as u64;
        let at = usize::try_from(hash % queues).expect("fewer queues than an index can name");
        &self.queues[at]
    }

    async fn run(&self, key: &UserKey, step: Step<'_>) -> Result<(), StoreError> {
        self.check_open()?;
        let _turn = self.queue(key).lock().await;
        let guess = self.remote.speculation(key);
        // Where only the server knows the time, nothing is remembered, and nothing is looked for.
        let last = guess.now().and_then(|_| self.recent.get(key));
        let guessed = guessed(guess, last.as_ref());
        // What a step decides to leave as it is, it must have seen as it is.
        let mut is_current = guessed.is_none();
        let mut loaded = match guessed {
            Some(guessed) => guessed,
            None => self.remote.load(key).await?,
        };
        for conflicts in 1_u32.. {
            let view = View {
                key,
                record: loaded.record.as_deref(),
                now: loaded.now,
            };
            let change = match step.run(view) {
                Some(change) => change,
                None if !is_current => {
                    loaded = self.remote.load(key).await?;
                    is_current = true;
                    continue;
                }
                // Callers rest on what was seen as they do on what was changed.
                None => match self.remote.confirm(key, loaded.version).await? {
                    Committed::Done => return Ok(()),
                    Committed::Conflict(current) => {
                        loaded = current;
                        continue;
                    }
                },
            };
            let write = Write {
                record: change.record,
                version: Version::fresh(),
                garbage_at: change.garbage_at,
                decided_at: (!is_current).then_some(loaded.now.time),
                needs_room: change.needs_room,
            };
            // Whatever becomes of the commit, and of whoever waits for it.
            if last.is_some() {
                self.recent.forget(key);
            }
            let commit = self.commit(key, loaded.version, write);
            let (answer, write) = InFlight::new(commit, step, &self.detached).answer().await;
            match answer {
                Ok(Committed::Done) => {
                    if guess != Speculation::Never {
                        self.remember(key, write, is_alone(last.as_ref(), loaded.version));
                    }
                    return Ok(());
                }
                Ok(Committed::Conflict(current)) => loaded = current,
                Err(error) => {
                    self.note(key, guess, &error);
                    return Err(error);
                }
            }
            is_current = true;
            if conflicts >= CONFLICTS_BEFORE_WAITING {
                tokio::time::sleep(pause(conflicts, write.version)).await;
                // What was seen is old by now.
                loaded = self.remote.load(key).await?;
            }
        }
        unreachable!("a call is given up long before it has had four billion conflicts")
    }

    /// Commits, and sends the very same once more where the answer is lost. Where that is done, it
    /// was done once: its version tells, and the first one that comes after all finds another
    /// version than it expects. Where it is not, somebody else wrote, before ours or on it: nobody
    /// can tell any more from here.
    ///
    /// The commit owns all that it needs, so that it can run on without its caller.
    fn commit(
        &self,
        key: &UserKey,
        expected: Version,
        write: Write,
    ) -> BoxFuture<'static, Answered> {
        let (remote, key) = (Arc::clone(&self.remote), key.clone());
        Box::pin(async move {
            let lost = match remote.commit(&key, expected, &write).await {
                Err(StoreError::OutcomeUnknown(lost)) => lost,
                known => return (known, write),
            };
            let answer = match remote.commit(&key, expected, &write).await {
                Ok(Committed::Done) => Ok(Committed::Done),
                Ok(Committed::Conflict(_)) | Err(_) => Err(StoreError::OutcomeUnknown(lost)),
            };
            (answer, write)
        })
    }

    fn remember(&self, key: &UserKey, write: Write, alone: bool) {
        if let Some(record) = write.record {
            let written = Written {
                version: write.version,
                record: record.into(),
                alone,
            };
            self.recent.remember(key, Last::Written(written));
        }
    }

    /// After a commit in doubt the next step is run on what is there, and on no guess.
    fn note(&self, key: &UserKey, guess: Speculation, error: &StoreError) {
        if matches!(error, StoreError::OutcomeUnknown(_)) && guess != Speculation::Never {
            self.recent.remember(key, Last::InDoubt);
        }
    }
}

/// What a commit is tried on without a load.
fn guessed(guess: Speculation, last: Option<&Last>) -> Option<Loaded> {
    let (written, now) = match (guess, last) {
        (Speculation::IfSoleWriter(now), Some(Last::Written(written))) if written.alone => {
            (Some(written), now)
        }
        (Speculation::Always(now), Some(Last::Written(written))) => (Some(written), now),
        (Speculation::Always(now), None) => (None, now),
        (Speculation::Never | Speculation::IfSoleWriter(_), _)
        | (Speculation::Always(_), Some(Last::InDoubt)) => {
            return None;
        }
    };
    Some(Loaded {
        record: written.map(|written| written.record.to_vec()),
        version: written.map_or(Version::NONE, |written| written.version),
        now,
    })
}

/// Whether the record that was replaced was this node's, too, or there was none.
fn is_alone(last: Option<&Last>, replaced: Version) -> bool {
    let is_ours = matches!(last, Some(Last::Written(last)) if last.version == replaced);
    replaced == Version::NONE || is_ours
}

/// A wait between nothing and twice as long after each further conflict, at random.
fn pause(conflicts: u32, random: Version) -> Duration {
    let doublings = (conflicts - CONFLICTS_BEFORE_WAITING).min(6);
    let end_ms = (1 << doublings).min(WAIT_MAX_MS) + 1;
    Duration::from_millis(random.below(end_ms))
}

impl<S: VersionedStore> Store for Optimistic<S> {
    fn transact<'a>(
        &'a self,
        key: &'a UserKey,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.run(key, step))
    }

    fn recall(&self, key: &UserKey, look: &mut dyn FnMut(View<'_>)) -> bool {
        if self.format.check().is_err() {
            return false;
        }
        let Some(now) = self.remote.speculation(key).now() else {
            return false;
        };
        let Some(Last::Written(last)) = self.recent.get(key) else {
            return false;
        };
        look(View {
            key,
            record: Some(&last.record),
            now,
        });
        true
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            self.check_open()?;
            self.remote.scan(tenant, from, page_size).await
        })
    }

    fn scans_may_repeat(&self) -> bool {
        self.remote.scans_may_repeat()
    }

    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        Box::pin(async move {
            self.check_open()?;
            self.remote.sweep(from, budget, step).await
        })
    }

    fn record_count(&self) -> Option<u64> {
        None
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.check_not_closed()?;
            self.remote.check_ready().await?;
            Ok(self.look_at_format().await??)
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.closed.store(true, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}

impl<S: fmt::Debug> fmt::Debug for Optimistic<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Optimistic")
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
