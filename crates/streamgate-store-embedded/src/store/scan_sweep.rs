//! Calls that visit all records: scans read them page by page in hash order, sweeps expire them.

use streamgate_core::{TenantId, UserKey};
use streamgate_store::{Cursor, PAGE_BYTES, Page, Step, StoreError, Swept};
use tokio::task::yield_now;

use super::EmbeddedStore;
use crate::table::entry::Entry;
use crate::table::order::{Place, first_behind};

/// A sweep yields to other tasks of its thread after this many records.
const SWEEP_STEPS: usize = 128;

/// A scan returns its page, even an empty one, after it has looked at this many records: a small
/// tenant among large ones must not keep a thread busy for more than a few milliseconds.
const SCAN_LOOKS: usize = 20_000;

impl EmbeddedStore {
    pub(super) async fn scan(
        &self,
        tenant: &TenantId,
        from: Option<&Cursor>,
        page_size: usize,
    ) -> Result<Page, StoreError> {
        self.shared.queue.check()?;
        let place = self.place(from)?;
        let (records, next) = self.read_page(tenant, place, page_size);
        let now = self.clock.now();
        // What was read may not be durable yet; nothing behind this position was read.
        let seen = self.shared.queue.appended_durable();
        self.shared.queue.wait_durable(seen).await?;
        Ok(Page { records, next, now })
    }

    /// Reads records in order until the page is full, by their number or their bytes, or enough of
    /// them were looked at.
    fn read_page(
        &self,
        tenant: &TenantId,
        mut place: Place,
        page_size: usize,
    ) -> (Vec<(UserKey, Vec<u8>)>, Option<Cursor>) {
        let table = &self.shared.table;
        let prefix = [tenant.as_str().as_bytes(), &[0]].concat();
        let (mut records, mut bytes, mut looks) = (Vec::new(), 0, 0);
        while looks < SCAN_LOOKS {
            let room = page_size.max(1) - records.len();
            let index = place.shard();
            let shard = table.shards()[index].lock();
            looks += shard.entries.len();
            let wanted = |key: &[u8]| key.starts_with(&prefix);
            let (mut found, mut more) =
                first_behind(&shard.entries, table.seed(), &place, room, wanted);
            let fitting = until_full(&found, &mut bytes);
            more |= fitting < found.len();
            found.truncate(fitting);
            records.extend(found.iter().map(|(_, entry)| {
                let key = UserKey::from_bytes(entry.key()).expect("only keys are stored");
                (key, entry.record().to_vec())
            }));
            if more {
                let (hash, entry) = found.last().expect("there was room for one");
                let key = entry.key().to_vec();
                let next = Place { hash: *hash, key };
                return (records, Some(next.to_cursor(table.seed())));
            }
            match Place::before_shard(index + 1) {
                Some(next) => place = next,
                None => return (records, None),
            }
            if records.len() >= page_size || bytes >= PAGE_BYTES {
                break;
            }
        }
        (records, Some(place.to_cursor(table.seed())))
    }

    pub(super) async fn sweep(
        &self,
        from: Option<&Cursor>,
        budget: usize,
        step: Step<'_>,
    ) -> Result<Swept, StoreError> {
        self.shared.queue.check()?;
        let table = &self.shared.table;
        let mut place = Some(self.place(from)?);
        if self.shared.queue.room.is_scarce() {
            // An expired session takes no slot. The room that is left is for stops.
            return Ok(Swept {
                visited: 0,
                next: None,
            });
        }
        let mut visited = 0;
        while visited < budget
            && let Some(at) = &place
        {
            // A shard is visited as a whole, so a pass costs one or two looks at each record. Its
            // keys are copied first, so that a call waits for the shard lock for one record only.
            let keys = self.keys_behind(at);
            if visited > 0 && visited + keys.len() > budget {
                break;
            }
            for key in keys {
                let key = UserKey::from_bytes(&key).expect("only keys are stored");
                self.shared.queue.wait_room().await?;
                // Not waited for here: a call that sees the change waits.
                if self.run_step(&key, step)?.is_changed {
                    step.swept();
                }
                visited += 1;
                if visited.is_multiple_of(SWEEP_STEPS) {
                    yield_now().await;
                }
            }
            place = Place::before_shard(at.shard() + 1);
        }
        Ok(Swept {
            visited,
            next: place.map(|place| place.to_cursor(table.seed())),
        })
    }

    /// The keys of a shard behind a place in it, unordered.
    fn keys_behind(&self, place: &Place) -> Vec<Vec<u8>> {
        let table = &self.shared.table;
        let shard = table.shards()[place.shard()].lock();
        let is_behind = |key: &[u8]| {
            // A whole shard, the usual case, needs no hashes.
            place.key.is_empty() || (table.hash(key), key) > (place.hash, place.key.as_slice())
        };
        let keys = shard.entries.iter().map(Entry::key);
        keys.filter(|key| is_behind(key))
            .map(<[u8]>::to_vec)
            .collect()
    }

    /// The place at which a scan or sweep begins.
    fn place(&self, from: Option<&Cursor>) -> Result<Place, StoreError> {
        from.map_or(Some(Place::START), |cursor| {
            Place::from_cursor(cursor, self.shared.table.seed())
        })
        .ok_or(StoreError::BadCursor)
    }
}

/// How many of these entries, from the first, a page takes: the last one brings `bytes`, to which
/// their records are added, to [`PAGE_BYTES`].
fn until_full(found: &[(u64, &Entry)], bytes: &mut usize) -> usize {
    let last = found.iter().position(|(_, entry)| {
        *bytes += entry.record().len();
        *bytes >= PAGE_BYTES
    });
    last.map_or(found.len(), |last| last + 1)
}
