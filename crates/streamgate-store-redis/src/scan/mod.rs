//! Reading a tenant page by page with the server's `SCAN`.
//!
//! `SCAN` returns a server's keys in batches, each key that exists throughout at least once. A page
//! is cut from a batch; see [`Place`]. How many of its records it reads depends on their lengths,
//! which the server is asked for first: other calls share the connection.
//!
//! If the server changed between two pages (restart, failover, resized table), the batch or the
//! whole server is read again: a scan is at-least-once. Only a record whose slot moves to another
//! primary of a cluster during the scan can be missed.

mod cursor;

use streamgate_core::{TenantId, Timestamp, UserKey};
use streamgate_store::{Cursor, PAGE_BYTES, Page, StoreError};

use redis::aio::ConnectionLike as _;
use redis::{ErrorKind, InfoDict, RedisError};

use crate::call::Call;
use crate::connection::LiveConnection;
use crate::failure::Failure;
use crate::keys::Names;
use crate::reason::Reason;
use crate::record;
use crate::server_clock::ServerClock;
use crate::topology::{Primary, Sent, Topology};
use cursor::Place;

/// The smallest and the largest batch that a server is asked for.
const BATCH_MIN: u16 = 10;
const BATCH_MAX: u16 = 1_000;

/// How many empty batches are read for one page before it is returned empty.
const EMPTY_BATCHES_MAX: u32 = 10;

/// The record of a value that is not the store's.
const FOREIGN: Vec<u8> = Vec::new();

/// The answer to `SCAN`: the next position, and names of keys.
type Found = (u64, Vec<Vec<u8>>);

/// A batch of a server's keys.
struct Batch {
    incarnation: u64,
    behind: u64,
    now: Timestamp,
    /// Users, in order, each once.
    users: Vec<UserKey>,
}

/// Reads a page.
pub(crate) async fn page(
    topology: &Topology,
    names: &Names,
    tenant: &TenantId,
    from: Option<&Cursor>,
    page_size: usize,
) -> Result<Page, StoreError> {
    let mut place = from.map(Place::from_cursor).transpose()?;
    let primaries = topology.primaries().await?;
    for batches in 1.. {
        let start = place.take().unwrap_or_default();
        let Some(at) = standing_at(&primaries, &start) else {
            return Err(StoreError::Unavailable("no server has slots".to_owned()));
        };
        let connection = primaries[at].pool.next();
        let mut live = connection.live().await?;
        let scan = Scan {
            topology,
            names,
            tenant,
            page_size,
            clock: &primaries[at].pool.clock,
        };
        let (mut page, next) = match scan.read(&mut live, start).await {
            Ok(read) => read,
            Err(error) => {
                connection.report(&live, &error);
                topology.suspect();
                return Err(Reason::of(&error).at(&live.address).into());
            }
        };
        // The next batch is on the same server, if there is one, else on the next server.
        let next = next.map(|next| Place {
            slot: primaries[at].first_slot,
            ..next
        });
        place = next.or_else(|| {
            primaries.get(at + 1).map(|next| Place {
                slot: next.first_slot,
                ..Place::default()
            })
        });
        page.next = place.as_ref().map(Place::to_cursor);
        if page.next.is_none() || !page.records.is_empty() || batches >= EMPTY_BATCHES_MAX {
            return Ok(page);
        }
    }
    unreachable!("the loop ends by itself")
}

/// The primary that a place is on: the last whose slots begin no later. Slots that have moved since
/// are read from the beginning there, because its incarnation is another.
fn standing_at(primaries: &[Primary], place: &Place) -> Option<usize> {
    let behind = primaries.partition_point(|primary| primary.first_slot <= place.slot);
    // A cluster may have lost its first slots; then the first primary is the next best.
    (!primaries.is_empty()).then(|| behind.saturating_sub(1))
}

struct Scan<'a> {
    topology: &'a Topology,
    names: &'a Names,
    tenant: &'a TenantId,
    page_size: usize,
    clock: &'a ServerClock,
}

impl Scan<'_> {
    /// Reads the page at a place; also returns the next place on the same server.
    async fn read(
        &self,
        live: &mut LiveConnection,
        start: Place,
    ) -> Result<(Page, Option<Place>), RedisError> {
        let mut start = start;
        // Other pages may have other sizes, and the rest of a batch is found in the same batch only.
        let count = match start.last {
            Some(_) => start.count,
            None => self.count(),
        };
        let mut batch = self.batch(live, start.position, count).await?;
        if start.incarnation != batch.incarnation && start.position != 0 {
            // The position is one of another server: all of this one is read.
            start = Place::default();
            batch = self.batch(live, 0, count).await?;
        }
        let is_same = start.incarnation == batch.incarnation && start.behind == batch.behind;
        let given = match start.last.as_ref().filter(|_| is_same) {
            Some(last) => batch.users.partition_point(|user| user <= last),
            None => 0,
        };
        let rest = &batch.users[given..];
        let users = &rest[..self.fitting(live, rest).await?];
        let next = if users.len() < rest.len() {
            Some(Place {
                slot: start.slot,
                incarnation: batch.incarnation,
                position: start.position,
                count,
                behind: batch.behind,
                last: users.last().cloned(),
            })
        } else if batch.behind != 0 {
            Some(Place {
                slot: start.slot,
                incarnation: batch.incarnation,
                position: batch.behind,
                ..Place::default()
            })
        } else {
            None
        };
        let records = self.records(live, users).await?;
        let page = Page {
            records,
            next: None,
            now: self.clock.heard(batch.now),
        };
        Ok((page, next))
    }

    /// About how many keys the server is asked for.
    fn count(&self) -> u16 {
        let count = self.page_size.clamp(BATCH_MIN.into(), BATCH_MAX.into());
        u16::try_from(count).unwrap_or(BATCH_MAX)
    }

    async fn batch(
        &self,
        live: &mut LiveConnection,
        position: u64,
        count: u16,
    ) -> Result<Batch, RedisError> {
        let pattern = self.names.pattern(self.tenant);
        // One message, so that incarnation and batch are of the same server.
        let answer: (String, (u64, u64), Found) = redis::pipe()
            .cmd("INFO")
            .arg("server")
            .cmd("TIME")
            .cmd("SCAN")
            .arg(position)
            .arg("MATCH")
            .arg(pattern)
            .arg("COUNT")
            .arg(count)
            .query_async(&mut live.connection)
            .await?;
        let (info, (seconds, micros), (behind, found)) = answer;
        let mut users: Vec<UserKey> = found
            .iter()
            .filter_map(|name| self.names.user(name))
            .filter(|user| user.tenant() == self.tenant.as_str())
            .collect();
        users.sort_unstable();
        users.dedup();
        Ok(Batch {
            incarnation: incarnation(&info),
            behind,
            now: record::timestamp(seconds, micros),
            users,
        })
    }

    /// How many of these users, from the first, a page takes: as many as it may have, or those
    /// whose records together reach [`PAGE_BYTES`].
    async fn fitting(
        &self,
        live: &mut LiveConnection,
        users: &[UserKey],
    ) -> Result<usize, RedisError> {
        let users = &users[..users.len().min(self.page_size)];
        if users.len() <= 1 {
            return Ok(users.len());
        }
        let mut lengths = redis::pipe();
        for user in users {
            lengths.cmd("STRLEN").arg(self.names.record(user));
        }
        let connection = &mut live.connection;
        let lengths = connection
            .req_packed_commands(&lengths, 0, users.len())
            .await?;
        let mut bytes = 0;
        let last = lengths.into_iter().position(|length| {
            // Unknown of a record that has moved to another server, and of a foreign value.
            let length = length.extract_error().and_then(|length| {
                let length: usize = redis::from_redis_value(length)?;
                Ok(length)
            });
            bytes += length.unwrap_or(0);
            bytes >= PAGE_BYTES
        });
        Ok(last.map_or(users.len(), |last| last + 1))
    }

    async fn records(
        &self,
        live: &mut LiveConnection,
        users: &[UserKey],
    ) -> Result<Vec<(UserKey, Vec<u8>)>, RedisError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let mut gets = redis::pipe();
        for user in users {
            gets.get(self.names.record(user));
        }
        let connection = &mut live.connection;
        let values = connection
            .req_packed_commands(&gets, 0, users.len())
            .await?;
        let mut records = Vec::with_capacity(users.len());
        for (user, value) in users.iter().zip(values) {
            let record = match value.extract_error() {
                Ok(value) => {
                    // A record that is gone by now is left out.
                    let value: Option<Vec<u8>> = redis::from_redis_value(value)?;
                    value.map(|value| record::split(value).map_or(FOREIGN, |(_, record)| record))
                }
                // It has moved to another server since, or is something else.
                Err(_) => self.record(user).await?,
            };
            records.extend(record.map(|record| (user.clone(), record)));
        }
        Ok(records)
    }

    /// Reads one record, wherever it is now.
    async fn record(&self, user: &UserKey) -> Result<Option<Vec<u8>>, RedisError> {
        let name = self.names.record(user);
        let (call, sent) = (Call::load(&name), Sent::default());
        let answer = self.topology.send(&call, &sent).await;
        let loaded = answer
            .map_err(Failure::reason)
            .and_then(|answer| record::loaded(answer.reply.value));
        match loaded {
            Ok(loaded) => Ok(loaded.record),
            Err(why) if why.is_damage() => Ok(Some(FOREIGN)),
            Err(why) => {
                let what = (
                    ErrorKind::Client,
                    "a record cannot be read",
                    why.to_string(),
                );
                Err(RedisError::from(what))
            }
        }
    }
}

/// A number made of the run id of a server, which changes at every start.
fn incarnation(info: &str) -> u64 {
    let run_id: String = InfoDict::new(info).get("run_id").unwrap_or_default();
    u64::from_str_radix(run_id.get(..16).unwrap_or_default(), 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_of_a_server_has_a_number() {
        let info = "# Server\r\nrun_id:00000000000000ff123\r\nuptime:1\r\n";
        assert_eq!(incarnation(info), 255);
        assert_eq!(incarnation("# Server\r\nrun_id:xyz\r\n"), 0);
        assert_eq!(incarnation(""), 0);
    }
}
