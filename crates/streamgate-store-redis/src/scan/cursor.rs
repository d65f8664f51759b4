//! Cursors: the place where a scan continues, as bytes.

use streamgate_core::UserKey;
use streamgate_store::{Cursor, StoreError};

use super::{BATCH_MAX, BATCH_MIN};
use crate::keys::SLOTS;

const MARK: [u8; 2] = *b"r2";
const HEAD_BYTES: usize = 2 + 2 + 2 + 8 + 8 + 8;

/// The place where a scan continues.
///
/// A server returns a batch of about the requested size for a position. If the batch is larger than
/// a page, the next page reads it again and continues behind the last key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The first slot of the primary that is being read.
    pub(super) slot: u16,
    /// The incarnation of the server: its positions mean nothing to another.
    pub(super) incarnation: u64,
    /// The server's position of the batch.
    pub(super) position: u64,
    /// About how many keys the server was asked for; of no meaning where a batch begins.
    pub(super) count: u16,
    /// The position behind it when it was read. If that has changed, so has the batch.
    pub(super) behind: u64,
    /// The last key of the batch that was given out, in order; `None` to begin with the first.
    pub(super) last: Option<UserKey>,
}

impl Place {
    pub(super) fn to_cursor(&self) -> Cursor {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(&MARK);
        bytes.extend_from_slice(&self.slot.to_be_bytes());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        for number in [self.incarnation, self.position, self.behind] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        if let Some(last) = &self.last {
            bytes.extend_from_slice(last.as_bytes());
        }
        Cursor(bytes)
    }

    pub(super) fn from_cursor(cursor: &Cursor) -> Result<Self, StoreError> {
        read(&cursor.0).ok_or(StoreError::BadCursor)
    }
}

fn read(bytes: &[u8]) -> Option<Place> {
    let (slot, rest) = bytes.strip_prefix(&MARK)?.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (incarnation, rest) = rest.split_first_chunk()?;
    let (position, rest) = rest.split_first_chunk()?;
    let (behind, last) = rest.split_first_chunk()?;
    let slot = u16::from_be_bytes(*slot);
    let count = u16::from_be_bytes(*count);
    if slot >= SLOTS {
        return None;
    }
    let last = match last {
        [] => None,
        last if (BATCH_MIN..=BATCH_MAX).contains(&count) => Some(UserKey::from_bytes(last)?),
        _ => return None,
    };
    Some(Place {
        slot,
        count,
        incarnation: u64::from_be_bytes(*incarnation),
        position: u64::from_be_bytes(*position),
        behind: u64::from_be_bytes(*behind),
        last,
    })
}

#[cfg(test)]
mod tests {
    use streamgate_core::{TenantId, UserId};

    use super::*;

    #[test]
    fn cursors_lead_back_and_nothing_else_is_one() {
        let user = UserKey::new(&TenantId::default_tenant(), &UserId::new("u").unwrap());
        for last in [None, Some(user)] {
            let place = Place {
                slot: SLOTS - 1,
                incarnation: u64::MAX,
                position: 1,
                count: BATCH_MAX,
                behind: 2,
                last,
            };
            let cursor = place.to_cursor();
            assert_eq!(Place::from_cursor(&cursor).as_ref(), Ok(&place));
            for length in 0..HEAD_BYTES {
                let cut = Cursor(cursor.0[..length].to_vec());
                assert_eq!(Place::from_cursor(&cut), Err(StoreError::BadCursor));
            }
            let mut longer = cursor.clone();
            longer.0.push(0xff);
            assert_eq!(Place::from_cursor(&longer), Err(StoreError::BadCursor));
            let mut slot = cursor.clone();
            slot.0[2] = 0xff;
            assert_eq!(Place::from_cursor(&slot), Err(StoreError::BadCursor));
            let mut count = cursor;
            count.0[4..6].copy_from_slice(&[0, 0]);
            let is_read = Place::from_cursor(&count).is_ok();
            assert_eq!(
                is_read,
                place.last.is_none(),
                "nothing is asked for no keys"
            );
        }
    }
}
