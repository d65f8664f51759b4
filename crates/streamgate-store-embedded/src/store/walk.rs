//! Going over all records: scans, which read in an order of the store's own, and sweeps, which
//! clean up.

use std::future::poll_fn;
use std::task::Poll;

use streamgate_core::{TenantId, UserKey};
use streamgate_store::{Cursor, Page, Step, StoreError, Swept};

use super::EmbeddedStore;
use crate::table::entry::Entry;
use crate::table::order::{Place, first_behind};

/// Records that a sweep visits before it lets other tasks of its thread go on.
const SWEEP_STEPS: usize = 128;

/// Records that a scan looks at before it returns a page, even an empty one: a tenant with few
/// users among many others must not keep a thread busy for longer than some milliseconds.
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
        // What was read may be on its way to the disk still; nothing later was read.
        let seen = self.shared.queue.appended_durable();
        self.shared.queue.wait_durable(seen).await?;
        Ok(Page { records, next, now })
    }

    /// Reads records in order until the page is full or enough records were looked at.
    fn read_page(
        &self,
        tenant: &TenantId,
        mut place: Place,
        page_size: usize,
    ) -> (Vec<(UserKey, Vec<u8>)>, Option<Cursor>) {
        let table = &self.shared.table;
        let prefix = [tenant.as_str().as_bytes(), &[0]].concat();
        let (mut records, mut looks) = (Vec::new(), 0);
        while looks < SCAN_LOOKS {
            let room = page_size.max(1) - records.len();
            let index = place.shard();
            let shard = table.shards()[index].lock();
            looks += shard.entries.len();
            let wanted = |key: &[u8]| key.starts_with(&prefix);
            let (found, more) = first_behind(&shard.entries, table.seed(), &place, room, wanted);
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
            if records.len() >= page_size {
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
            // What is over takes no slot. The room that is left is for those who stop.
            return Ok(Swept {
                visited: 0,
                next: None,
            });
        }
        let mut visited = 0;
        while visited < budget
            && let Some(at) = &place
        {
            // A shard is visited as a whole, so a pass costs a look or two at each record.
            // Keys are copied first and visited one by one, so that no step of a caller has to wait
            // for more than one record of the sweep.
            let keys = self.keys_behind(at);
            if visited > 0 && visited + keys.len() > budget {
                break;
            }
            for key in keys {
                let key = UserKey::from_bytes(&key).expect("only keys are stored");
                self.shared.queue.wait_room().await?;
                // Nobody waits here; whoever sees the change later does.
                if self.run_step(&key, step, true)?.is_changed {
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

    /// The keys of a shard behind a place in it, in no order.
    fn keys_behind(&self, place: &Place) -> Vec<Vec<u8>> {
        let table = &self.shared.table;
        let shard = table.shards()[place.shard()].lock();
        let is_behind = |key: &[u8]| {
            // Of a whole shard, and that is what a sweep begins with, nothing needs a hash.
            place.key.is_empty() || (table.hash(key), key) > (place.hash, place.key.as_slice())
        };
        let keys = shard.entries.iter().map(Entry::key);
        keys.filter(|key| is_behind(key))
            .map(<[u8]>::to_vec)
            .collect()
    }

    /// Where a scan or sweep begins.
    fn place(&self, from: Option<&Cursor>) -> Result<Place, StoreError> {
        from.map_or(Some(Place::START), |cursor| {
            Place::from_cursor(cursor, self.shared.table.seed())
        })
        .ok_or(StoreError::BadCursor)
    }
}

/// Lets other tasks of this thread go on, in any runtime.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
