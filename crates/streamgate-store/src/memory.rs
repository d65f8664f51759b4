//! The memory store: the contract without durability. For tests, and as a baseline in measurements.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use streamgate_clock::Clock;
use streamgate_core::{TenantId, UserKey};

use crate::port::{BoxFuture, Cursor, PAGE_BYTES, Page, Store, StoreError, Swept, Transaction};
use crate::step::{Step, View};

/// Keeps records in one ordered map behind one lock. Nothing survives the process.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    records: Mutex<BTreeMap<Box<[u8]>, Vec<u8>>>,
    closed: AtomicBool,
    full: AtomicBool,
}

impl MemoryStore {
    /// An empty store on this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            records: Mutex::default(),
            closed: AtomicBool::new(false),
            full: AtomicBool::new(false),
        }
    }

    /// Makes the store full, or gives it room again.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the store is closed".to_owned()));
        }
        Ok(())
    }

    /// The key behind which a scan or sweep goes on.
    fn after(cursor: Option<&Cursor>) -> Result<Option<UserKey>, StoreError> {
        cursor
            .map(|cursor| UserKey::from_bytes(&cursor.0).ok_or(StoreError::BadCursor))
            .transpose()
    }

    /// Runs a step; whether it changed the record.
    fn apply(&self, key: &UserKey, step: Step<'_>) -> Result<bool, StoreError> {
        self.check_open()?;
        let mut records = self.records.lock();
        let found = records.get_mut(key.as_bytes());
        let change = step.run(View {
            key,
            record: found.as_ref().map(|record| record.as_slice()),
            now: self.clock.now(),
        });
        let Some(change) = change else {
            return Ok(false);
        };
        if change.needs_room && self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Full("it was made full".to_owned()));
        }
        match (change.record, found) {
            (Some(record), Some(found)) => *found = record,
            (Some(record), None) => drop(records.insert(key.as_bytes().into(), record)),
            (None, _) => drop(records.remove(key.as_bytes())),
        }
        Ok(true)
    }

    fn scan_now(
        &self,
        tenant: &TenantId,
        from: Option<&Cursor>,
        page_size: usize,
    ) -> Result<Page, StoreError> {
        self.check_open()?;
        let prefix = [tenant.as_str().as_bytes(), &[0]].concat();
        let after = Self::after(from)?;
        let records = self.records.lock();
        let after = match &after {
            Some(key) => Bound::Excluded(key.as_bytes()),
            None => Bound::Included(prefix.as_slice()),
        };
        let (mut page, mut bytes) = (Vec::<(UserKey, Vec<u8>)>::new(), 0);
        let mut next = None;
        let behind = records.range::<[u8], _>((after, Bound::Unbounded));
        for (key, record) in behind.take_while(|(key, _)| key.starts_with(&prefix)) {
            if page.len() == page_size || bytes >= PAGE_BYTES {
                next = (page.last()).map(|(key, _)| Cursor(key.as_bytes().to_vec()));
                break;
            }
            let key = UserKey::from_bytes(key).expect("only keys are stored");
            page.push((key, record.clone()));
            bytes += record.len();
        }
        Ok(Page {
            records: page,
            next,
            now: self.clock.now(),
        })
    }

    fn sweep_now(
        &self,
        from: Option<&Cursor>,
        budget: usize,
        step: Step<'_>,
    ) -> Result<Swept, StoreError> {
        let after = from.map_or(Bound::Unbounded, |cursor| {
            Bound::Excluded(cursor.0.as_slice())
        });
        let keys: Vec<UserKey> = self
            .records
            .lock()
            .range::<[u8], _>((after, Bound::Unbounded))
            .take(budget)
            .map(|(key, _)| UserKey::from_bytes(key).expect("only keys are stored"))
            .collect();
        for key in &keys {
            if self.apply(key, step)? {
                step.swept();
            }
        }
        let last = keys.last().filter(|_| keys.len() == budget);
        Ok(Swept {
            visited: keys.len(),
            next: last.map(|key| Cursor(key.as_bytes().to_vec())),
        })
    }
}

impl Store for MemoryStore {
    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a> {
        Transaction::Done(self.apply(key, step).map(drop))
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move { self.scan_now(tenant, from, page_size) })
    }

    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        Box::pin(async move { self.sweep_now(from, budget, step) })
    }

    fn wall_offset_ms(&self) -> i64 {
        self.clock.wall_offset_ms()
    }

    fn record_count(&self) -> Option<u64> {
        u64::try_from(self.records.lock().len()).ok()
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { self.check_open() })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.closed.store(true, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}
