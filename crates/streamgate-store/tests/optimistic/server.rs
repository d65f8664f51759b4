//! A server that is a map, and nodes' connections to it, on which commits can be lost.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use streamgate_clock::{Clock as _, SystemClock};
use streamgate_core::{Seconds, TenantId, Timestamp, UserKey};
use streamgate_store::versioned::{
    Committed, Loaded, NotUsable, RemoteStore, Speculation, Version, VersionedStore, Write,
};
use streamgate_store::{BoxFuture, Cursor, PAGE_BYTES, Page, StoreError};

/// What it keeps of each key.
type Records = BTreeMap<Box<[u8]>, (Version, Vec<u8>)>;

/// A server that is a map.
#[derive(Debug, Default)]
pub(crate) struct Map {
    clock: SystemClock,
    records: Mutex<Records>,
    format: Mutex<Option<u32>>,
    refuses_mark: AtomicBool,
    hides_mark: AtomicBool,
}

impl Map {
    fn loaded(&self, record: Option<&(Version, Vec<u8>)>) -> Loaded {
        Loaded {
            record: record.map(|(_, bytes)| bytes.clone()),
            version: record.map_or(Version::NONE, |(version, _)| *version),
            now: self.clock.now(),
        }
    }

    /// Refuses to raise the format mark, or does not any more.
    pub(crate) fn refuse_mark(&self, refuses: bool) {
        self.refuses_mark.store(refuses, Ordering::SeqCst);
    }

    /// Refuses to tell the format mark, or does not any more.
    pub(crate) fn hide_mark(&self, hides: bool) {
        self.hides_mark.store(hides, Ordering::SeqCst);
    }

    /// The format mark.
    pub(crate) fn marked(&self) -> Option<u32> {
        *self.format.lock()
    }
}

impl Map {
    /// Sets the format mark, as a node of a later release does.
    pub(crate) fn mark(&self, format: Option<u32>) {
        *self.format.lock() = format;
    }

    fn commit(&self, key: &UserKey, expected: Version, write: &Write) -> Committed {
        let mut records = self.records.lock();
        let current = self.loaded(records.get(key.as_bytes()));
        if current.version == write.version {
            return Committed::Done;
        }
        let past = |at: Timestamp| current.now.time.as_millis().checked_sub(at.as_millis());
        let is_timely = |at| past(at).is_some_and(|past_ms| past_ms < 60_000);
        if current.version != expected || !write.decided_at.is_none_or(is_timely) {
            return Committed::Conflict(current);
        }
        match &write.record {
            Some(bytes) => {
                let written = (write.version, bytes.clone());
                records.insert(key.as_bytes().into(), written);
            }
            None => drop(records.remove(key.as_bytes())),
        }
        Committed::Done
    }
}

/// When a node's commits are speculative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speculates {
    Never,
    IfSoleWriter,
    Always,
    /// Always, by a clock that is wrong by an hour.
    ByAWrongClock,
}

/// A node's connection to the server: it yields wherever a network would.
#[derive(Debug)]
pub(crate) struct Node {
    map: Arc<Map>,
    /// When commits are speculative.
    speculates: Speculates,
    loads: AtomicUsize,
    commits: AtomicUsize,
    /// What is lost of the next commits.
    losses: Mutex<VecDeque<Lost>>,
    /// Late commits: the expected version, and the write.
    late: Mutex<Vec<(Version, Write)>>,
    /// The result of a proof that the server can be used.
    proof: Mutex<Result<(), NotUsable>>,
}

/// What is lost of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    Request,
    Answer,
    /// The request arrives after the call has ended.
    Late,
}

impl Node {
    pub(crate) fn over(map: &Arc<Map>, speculates: Speculates) -> Self {
        Self {
            map: Arc::clone(map),
            speculates,
            loads: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
            losses: Mutex::default(),
            late: Mutex::default(),
            proof: Mutex::new(Ok(())),
        }
    }

    pub(crate) fn prove_with(&self, proof: Result<(), NotUsable>) {
        *self.proof.lock() = proof;
    }

    /// Plans the losses of the next commits.
    pub(crate) fn lose(&self, losses: &[Lost]) {
        self.losses.lock().extend(losses);
    }

    /// Delivers the late commits.
    pub(crate) fn let_arrive(&self, key: &UserKey) {
        for (expected, write) in std::mem::take(&mut *self.late.lock()) {
            self.map.commit(key, expected, &write);
        }
    }

    /// The loads and commits since the last call of this function.
    pub(crate) fn calls(&self) -> (usize, usize) {
        let taken = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        (taken(&self.loads), taken(&self.commits))
    }
}

impl VersionedStore for Node {
    fn load<'a>(&'a self, key: &'a UserKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        Box::pin(async move {
            self.loads.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let records = self.map.records.lock();
            Ok(self.map.loaded(records.get(key.as_bytes())))
        })
    }

    fn commit<'a>(
        &'a self,
        key: &'a UserKey,
        expected: Version,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            self.commits.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let lost = self.losses.lock().pop_front();
            match lost {
                None => return Ok(self.map.commit(key, expected, write)),
                Some(Lost::Answer) => drop(self.map.commit(key, expected, write)),
                Some(Lost::Request) => {}
                Some(Lost::Late) => self.late.lock().push((expected, write.clone())),
            }
            Err(StoreError::OutcomeUnknown("lost".to_owned()))
        })
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let after = match from {
                None => None,
                Some(cursor) => Some(UserKey::from_bytes(&cursor.0).ok_or(StoreError::BadCursor)?),
            };
            let records = self.map.records.lock();
            let mut bytes = 0;
            let page: Vec<(UserKey, Vec<u8>)> = records
                .iter()
                .map(|(key, (_, bytes))| (UserKey::from_bytes(key).unwrap(), bytes.clone()))
                .filter(|(key, _)| key.tenant() == tenant.as_str())
                .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
                .take(page_size)
                .take_while(|(_, record)| {
                    let is_room = bytes < PAGE_BYTES;
                    bytes += record.len();
                    is_room
                })
                .collect();
            let is_full = page.len() == page_size || bytes >= PAGE_BYTES;
            let last = page.last().filter(|_| is_full);
            let next = last.map(|(key, _)| Cursor(key.as_bytes().to_vec()));
            Ok(Page {
                records: page,
                next,
                now: self.map.clock.now(),
            })
        })
    }

    fn speculation(&self, _key: &UserKey) -> Speculation {
        let now = self.map.clock.now();
        match self.speculates {
            Speculates::Never => Speculation::Never,
            Speculates::IfSoleWriter => Speculation::IfSoleWriter(now),
            Speculates::Always => Speculation::Always(now),
            Speculates::ByAWrongClock => Speculation::Always(now.time.plus(Seconds(3_600)).into()),
        }
    }

    fn format_mark(&self) -> BoxFuture<'_, Result<Option<u32>, StoreError>> {
        let told = if self.map.hides_mark.load(Ordering::SeqCst) {
            Err(StoreError::Unavailable("the mark is hidden".to_owned()))
        } else {
            Ok(*self.map.format.lock())
        };
        Box::pin(async { told })
    }

    fn raise_format_mark(&self, to: u8) -> BoxFuture<'_, Result<u32, StoreError>> {
        if self.map.refuses_mark.load(Ordering::SeqCst) {
            let no = StoreError::Unavailable("the mark cannot be written".to_owned());
            return Box::pin(async { Err(no) });
        }
        let mark = &mut *self.map.format.lock();
        let raised = mark.unwrap_or(1).max(to.into());
        *mark = Some(raised);
        Box::pin(async move { Ok(raised) })
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

impl RemoteStore for Node {
    fn prove(&self) -> BoxFuture<'_, Result<(), NotUsable>> {
        let proof = self.proof.lock().clone();
        Box::pin(async move { proof })
    }
}
