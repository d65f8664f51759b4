//! The keys of an issuer at a URL: fetched in a thread of their own, so that no call waits for
//! another server unless it must.
//!
//! What is *not* here: when ([`crate::schedule`]), and how ([`FetchKeys`]).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::{Condvar, Mutex};
use streamgate_clock::Stopwatch;
use tokio::sync::watch;

use crate::issuer::Location;
use crate::keys::KeySet;
use crate::refused::Fetching;
use crate::schedule::Schedule;

/// Fetches key sets. Blocks.
pub trait FetchKeys: Send + Sync + fmt::Debug + 'static {
    /// What is at this URL, read no further than [`crate::KEY_SET_MAX_BYTES`] and a byte.
    ///
    /// # Errors
    /// Why it is not to be had, in a sentence for the log.
    fn fetch(&self, at: &Location) -> Result<Fetched, String>;
}

/// A key set as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body of the answer.
    pub body: Vec<u8>,
    /// How long it may be used, as the answer says (`Cache-Control: max-age`).
    pub max_age: Option<Duration>,
}

/// How the fetches of an issuer go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteStatus {
    /// The name of the issuer.
    pub issuer: Arc<str>,
    /// How old its keys are; `None` if there are none.
    pub age: Option<Duration>,
    /// How many fetches have failed.
    pub failures: u64,
}

/// The keys at a URL.
#[derive(Debug)]
pub struct RemoteKeys {
    pub(crate) at: Location,
    name: Arc<str>,
    fetch: Arc<dyn FetchKeys>,
    watch: Stopwatch,
    schedule: Mutex<Schedule>,
    /// Notified when a fetch is asked for, or no more are wanted.
    wake: Condvar,
    is_over: AtomicBool,
    keys: ArcSwapOption<KeySet>,
    /// Counts the changes of the keys.
    generation: AtomicU64,
    /// Until when the keys are used, in milliseconds of `watch`; 0 if there are none.
    usable_until_ms: AtomicU64,
    failures: AtomicU64,
    /// Counts the fetches that have ended.
    ended: watch::Sender<u64>,
}

impl RemoteKeys {
    /// The keys at this URL. Nothing is fetched before [`Self::start`], or [`Self::fetch_if_due`].
    #[must_use]
    pub fn new(name: Arc<str>, at: Location, fetch: Arc<dyn FetchKeys>, watch: Stopwatch) -> Self {
        Self {
            at,
            name,
            fetch,
            watch,
            schedule: Mutex::new(Schedule::new()),
            wake: Condvar::new(),
            is_over: AtomicBool::new(false),
            keys: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            usable_until_ms: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            ended: watch::Sender::new(0),
        }
    }

    /// Starts the thread that fetches. It ends when the keys are dropped or [stopped](Self::stop).
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let keys = Arc::clone(self);
        let thread = std::thread::Builder::new().name("fetch-keys".to_owned());
        thread.spawn(move || keys.fetch_until_over())?;
        Ok(())
    }

    /// Fetches no more.
    pub fn stop(&self) {
        let _schedule = self.schedule.lock();
        self.is_over.store(true, Ordering::Relaxed);
        self.wake.notify_all();
    }

    fn fetch_until_over(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            self.fetch_if_due(self.watch.elapsed());
            let mut schedule = self.schedule.lock();
            let until = schedule.until_due(self.watch.elapsed());
            if !until.is_zero() && !self.is_over.load(Ordering::Relaxed) {
                self.wake.wait_for(&mut schedule, until);
            }
        }
    }

    /// Fetches the keys, if it is time to. Blocks meanwhile.
    pub fn fetch_if_due(&self, now: Duration) {
        if !self.schedule.lock().begin(now) {
            return;
        }
        let fetched = self.fetch.fetch(&self.at);
        let read = fetched.and_then(|fetched| {
            let keys = KeySet::parse(&fetched.body).map_err(|why| format!("the key set {why}"))?;
            Ok((keys, fetched.max_age))
        });
        // The time of the fetch itself does not count for the age of its keys.
        let mut schedule = self.schedule.lock();
        match read {
            Ok((keys, max_age)) => {
                schedule.succeeded(now, max_age);
                self.take(keys);
                let until = schedule.usable_until().unwrap_or_default();
                self.usable_until_ms.store(millis(until), Ordering::Release);
            }
            Err(error) => {
                schedule.failed(now);
                self.failures.fetch_add(1, Ordering::Relaxed);
                let age_s = schedule.age(now).map(|age| age.as_secs());
                tracing::warn!(
                    issuer = &*self.name,
                    %error,
                    age_s,
                    "the keys of an issuer could not be fetched; those that were fetched before \
                     are used for a day"
                );
            }
        }
        drop(schedule);
        self.ended.send_modify(|ended| *ended += 1);
    }

    /// Uses these keys from now on.
    fn take(&self, keys: KeySet) {
        let is_same = |old: &Arc<KeySet>| old.is_same(&keys);
        if self.keys.load().as_ref().is_some_and(is_same) {
            return;
        }
        self.keys.store(Some(Arc::new(keys)));
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The keys, and their generation, for a token that names this key. Asks for a fetch if the key
    /// is not known.
    ///
    /// # Errors
    /// There are no keys, or the key may be among those that are being fetched.
    pub(crate) fn find(
        &self,
        kid: Option<&str>,
        now: Duration,
    ) -> Result<(Arc<KeySet>, u64), Option<Fetching>> {
        // Before the keys: an entry of the cache is at worst taken for older than it is.
        let generation = self.generation();
        // Before the schedule: a fetch that ends after this is noticed.
        let ended = Fetching(self.ended.subscribe());
        let keys = self.keys.load_full().filter(|_| self.is_usable(now));
        let is_unknown = |keys: &Arc<KeySet>| kid.is_some_and(|kid| !keys.has(kid));
        match keys {
            Some(keys) if !is_unknown(&keys) => Ok((keys, generation)),
            keys => {
                if self.ask(now) {
                    return Err(Some(ended));
                }
                keys.map(|keys| (keys, generation)).ok_or(None)
            }
        }
    }

    /// Asks the thread for a fetch. Whether one will end soon.
    fn ask(&self, now: Duration) -> bool {
        let will_end = self.schedule.lock().ask(now);
        if will_end {
            self.wake.notify_all();
        }
        will_end
    }

    /// Counts the changes of the keys.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether there are keys that are not too old.
    pub(crate) fn is_usable(&self, now: Duration) -> bool {
        millis(now) < self.usable_until_ms.load(Ordering::Acquire)
    }

    pub(crate) fn status(&self, now: Duration) -> RemoteStatus {
        RemoteStatus {
            issuer: Arc::clone(&self.name),
            age: self.schedule.lock().age(now),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
