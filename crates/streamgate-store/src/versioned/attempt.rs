//! One call on a record under optimistic concurrency: run the step on a version of the record,
//! commit on that version, and again after a conflict.

use std::sync::Arc;
use std::time::Duration;

use streamgate_core::UserKey;

use super::in_flight::{Answered, InFlight};
use super::record_cache::{Cached, Written};
use super::shared::Shared;
use super::{Committed, Loaded, Speculation, Version, VersionedStore, Write};
use crate::port::{BoxFuture, StoreError};
use crate::step::{Change, Step, View};

/// After this many conflicts of one call it waits a little before the next try.
const CONFLICTS_BEFORE_WAITING: u32 = 3;

/// The longest such wait, in milliseconds.
const WAIT_MAX_MS: u64 = 64;

/// A call on the record of a key.
pub(super) struct Attempt<'a, S> {
    shared: &'a Shared<S>,
    key: &'a UserKey,
    speculation: Speculation,
    /// What the cache held when the call began.
    cached: Option<Cached>,
    /// What the next run of the step sees.
    base: Loaded,
    /// Whether `base` was read from the server. If not, it is speculative: a change may be
    /// committed on it, since a wrong version is a conflict, but a step that changes nothing must
    /// run again on a fresh read.
    is_fresh: bool,
    /// How many commits have failed because another node was faster.
    conflicts: u32,
}

impl<'a, S: VersionedStore> Attempt<'a, S> {
    /// Speculates on a record if the server and the cache allow it, else loads it.
    pub(super) async fn begin(shared: &'a Shared<S>, key: &'a UserKey) -> Result<Self, StoreError> {
        let speculation = shared.remote.speculation(key);
        // If only the server knows the time, nothing is cached.
        let cached = speculation.now().and_then(|_| shared.cache.get(key));
        let speculative = speculative_base(speculation, cached.as_ref());
        let is_fresh = speculative.is_none();
        let base = match speculative {
            Some(base) => base,
            None => shared.remote.load(key).await?,
        };
        Ok(Self {
            shared,
            key,
            speculation,
            cached,
            base,
            is_fresh,
            conflicts: 0,
        })
    }

    /// Runs the step once and stores what it decides; `false` if it must be run again.
    pub(super) async fn run_once(&mut self, step: Step<'_>) -> Result<bool, StoreError> {
        let change = step.run(View {
            key: self.key,
            record: self.base.record.as_deref(),
            now: self.base.now,
        });
        match change {
            Some(change) => self.commit(change, step).await,
            None if self.is_fresh => self.confirm().await,
            None => {
                self.load().await?;
                Ok(false)
            }
        }
    }

    async fn load(&mut self) -> Result<(), StoreError> {
        self.base = self.shared.remote.load(self.key).await?;
        self.is_fresh = true;
        Ok(())
    }

    /// Makes sure that what a read saw is as durable as a commit: callers rely on both.
    async fn confirm(&mut self) -> Result<bool, StoreError> {
        let confirmed = self.shared.remote.confirm(self.key, self.base.version);
        match confirmed.await? {
            Committed::Done => Ok(true),
            Committed::Conflict(current) => {
                self.base = current;
                Ok(false)
            }
        }
    }

    /// Commits a change on the version that it was decided on.
    async fn commit(&mut self, change: Change, step: Step<'_>) -> Result<bool, StoreError> {
        if let Some(record) = &change.record {
            let replaced = self.base.record.as_deref();
            self.shared.allow_version(record, replaced).await?;
        }
        let notices = self.shared.remote.notices();
        let notice = notices.and_then(|_| step.notice());
        let write = Write {
            record: change.record,
            version: Version::fresh(),
            garbage_at: change.garbage_at,
            decided_at: (!self.is_fresh).then_some(self.base.now.time),
            needs_room: change.needs_room,
            notice: notice.unwrap_or(change.delta),
        };
        // The cached record is stale from here on, whatever becomes of the commit.
        if self.cached.is_some() {
            self.shared.cache.remove(self.key);
        }
        let commit = send(&self.shared.remote, self.key, self.base.version, write);
        let in_flight = InFlight::new(commit, step, &self.shared.detached);
        let (answer, write) = in_flight.answer().await;
        match answer {
            Ok(Committed::Done) => {
                self.cache(write);
                Ok(true)
            }
            Ok(Committed::Conflict(current)) => {
                self.base = current;
                self.is_fresh = true;
                self.conflicts += 1;
                if self.conflicts >= CONFLICTS_BEFORE_WAITING {
                    tokio::time::sleep(pause(self.conflicts, write.version)).await;
                    self.load().await?;
                }
                Ok(false)
            }
            Err(error) => {
                if matches!(error, StoreError::OutcomeUnknown(_)) && self.caches() {
                    self.shared.cache.insert(self.key, Cached::InDoubt);
                }
                Err(error)
            }
        }
    }

    fn caches(&self) -> bool {
        self.speculation != Speculation::Never
    }

    /// Caches the record that was committed.
    fn cache(&self, write: Write) {
        let Some(record) = write.record.filter(|_| self.caches()) else {
            return;
        };
        let replaced = self.base.version;
        let was_ours = matches!(
            &self.cached,
            Some(Cached::Written(written)) if written.version == replaced
        );
        let written = Written {
            version: write.version,
            record: record.into(),
            is_sole_writer: was_ours || replaced == Version::NONE,
        };
        self.shared.cache.insert(self.key, Cached::Written(written));
    }
}

/// Sends a commit, and the same commit once more if its answer is lost. If the second one is
/// [`Committed::Done`], the change was made once: the version tells, and the request that arrives
/// later finds another version than it expects. Otherwise another node wrote before or after this
/// commit, and its outcome is unknown.
///
/// The future owns all that it needs, so that it can run on without its caller.
fn send<S: VersionedStore>(
    remote: &Arc<S>,
    key: &UserKey,
    expected: Version,
    write: Write,
) -> BoxFuture<'static, Answered> {
    let (remote, key) = (Arc::clone(remote), key.clone());
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

/// The record for a speculative commit; `None` if a load is needed.
fn speculative_base(speculation: Speculation, cached: Option<&Cached>) -> Option<Loaded> {
    let (written, now) = match (speculation, cached) {
        (Speculation::IfSoleWriter(now), Some(Cached::Written(written)))
            if written.is_sole_writer =>
        {
            (Some(written), now)
        }
        (Speculation::Always(now), Some(Cached::Written(written))) => (Some(written), now),
        (Speculation::Always(now), None) => (None, now),
        (Speculation::Never | Speculation::IfSoleWriter(_), _)
        | (Speculation::Always(_), Some(Cached::InDoubt)) => return None,
    };
    Some(Loaded {
        record: written.map(|written| written.record.to_vec()),
        version: written.map_or(Version::NONE, |written| written.version),
        now,
    })
}

/// A random wait below a bound that doubles with each conflict (exponential backoff with jitter).
fn pause(conflicts: u32, random: Version) -> Duration {
    let doublings = (conflicts - CONFLICTS_BEFORE_WAITING).min(6);
    let end_ms = (1 << doublings).min(WAIT_MAX_MS) + 1;
    Duration::from_millis(random.below(end_ms))
}
