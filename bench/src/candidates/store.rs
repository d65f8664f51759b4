//! The embedded store itself: the shard lock, the table and the log writer, as the service runs it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use streamgate_core::admission::Start;
use streamgate_core::codec::{encode_delta, encode_ledger};
use streamgate_core::{
    Durability, Ledger, Policy, SessionId, TenantId, Timestamp, UserId, UserKey, decide,
};
use streamgate_store::{Change, Store, SystemClock};
use streamgate_store_embedded::disk::{Disk, DiskFile, RealDisk};
use streamgate_store_embedded::{EmbeddedConfig, EmbeddedStore, NoObserver, OnFatal};

use crate::Result;

/// The store, and the change that every write makes.
pub(crate) struct Whole {
    store: EmbeddedStore,
    record: Vec<u8>,
    delta: Vec<u8>,
}

impl Whole {
    /// Opens it with its defaults; without the zeros ahead if asked.
    pub(crate) fn open(dir: &Path, zeroed: bool) -> Result<Self> {
        let config = EmbeddedConfig {
            // The others are not asked to compact within a run either.
            snapshot_min_log_bytes: u64::MAX,
            ..EmbeddedConfig::new(dir)
        };
        let disk: Arc<dyn Disk> = if zeroed {
            Arc::new(RealDisk::create(dir)?)
        } else {
            Arc::new(WithoutZeros(RealDisk::create(dir)?))
        };
        let (clock, observer) = (Arc::new(SystemClock::new()), Arc::new(NoObserver));
        let store = EmbeddedStore::open_on(disk, config, clock, observer, failed())?;
        // Every write is a new user: the table grows, as it does in the worst hour.
        let (record, delta) = one_start();
        Ok(Self {
            store,
            record,
            delta,
        })
    }

    /// One start of a new user: the bytes are made ahead, because the decision is not measured.
    pub(crate) async fn write(&self, number: u64) -> Result<()> {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let user = UserId::new(format!("user-{mixed:015x}"))?;
        let key = UserKey::new(&TenantId::default_tenant(), &user);
        let mut step = |_: streamgate_store::View<'_>| {
            Some(Change {
                record: Some(self.record.clone()),
                delta: self.delta.clone(),
                durability: Durability::Durable,
                garbage_at: None,
            })
        };
        Ok(self.store.transact(&key, &mut step).await?)
    }

    /// Closes it.
    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.store.close().await?)
    }

    /// Opens it again, which replays every record into the table.
    pub(crate) fn read_back(dir: &Path) -> Result<u64> {
        let store = Self::open(dir, true)?;
        Ok(store.store.recovered().log_records)
    }
}

/// A measurement of a store that fails is none.
pub(crate) fn failed() -> OnFatal {
    Arc::new(|error| panic!("the store failed: {error}"))
}

/// The ledger after a start and the delta of it. With the key, 100 bytes of log.
fn one_start() -> (Vec<u8>, Vec<u8>) {
    let id = SessionId::from_uuid_bytes(*b"0123456789abcdef");
    let now = Timestamp::from_millis(1_800_000_000_000);
    let mut start = Start::new(id);
    start.facts = Some(Box::new(facts()));
    let decision = decide(Ledger::default(), &Policy::default(), &start, now);
    let record = encode_ledger(&decision.ledger).expect("a session is live");
    (record, encode_delta(&decision.events))
}

/// What plays: it makes the record as long as the others are.
fn facts() -> streamgate_core::Facts {
    let name = |text: &str| streamgate_core::ids::Name::new(text).ok();
    streamgate_core::Facts {
        device_id: name("living-room-tv-0123456"),
        content_id: name("title-0123456789"),
        ..streamgate_core::Facts::default()
    }
}

/// A disk that does not write zeros ahead: files grow as the log does.
#[derive(Debug)]
struct WithoutZeros(RealDisk);

impl Disk for WithoutZeros {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Unzeroed(self.0.create(name)?)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.0.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
}

#[derive(Debug)]
/// A file that leaves out what is nothing but zeros.
struct Unzeroed(Box<dyn DiskFile>);

impl DiskFile for Unzeroed {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        self.0.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
