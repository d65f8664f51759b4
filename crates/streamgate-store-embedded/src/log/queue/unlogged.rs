//! Expiries that a full disk had no room for. They are in the table only, and go into the log ahead
//! of the next change that has room: so no change of a user is replayed without the expiries that it
//! was decided on. Until then a crash takes them back, as it may take back any expiry.

use std::collections::BTreeMap;

use streamgate_store::StoreError;

use crate::log::frame::BatchBuf;
use crate::log::queue::RECORD_OVERHEAD_BYTES;
use crate::log::room::full;

/// The most that is kept, in bytes of log: about 50,000 expiries, and a quarter of a segment, so
/// that all of them fit into one batch.
const UNLOGGED_MAX_BYTES: usize = 4 << 20;

/// The deltas that are missing from the log, by key; those of a key in order.
#[derive(Default)]
pub(super) struct Unlogged {
    deltas: BTreeMap<Box<[u8]>, Vec<Box<[u8]>>>,
    bytes: usize,
}

/// The most that a delta takes in the log.
fn bytes_in_log(key: &[u8], delta: &[u8]) -> usize {
    key.len() + delta.len() + RECORD_OVERHEAD_BYTES
}

impl Unlogged {
    pub(super) fn is_empty(&self) -> bool {
        self.deltas.is_empty()
    }

    /// Keeps a delta.
    pub(super) fn keep(&mut self, key: &[u8], delta: &[u8]) -> Result<(), StoreError> {
        let bytes = self.bytes + bytes_in_log(key, delta);
        if bytes > UNLOGGED_MAX_BYTES {
            return Err(full());
        }
        self.bytes = bytes;
        let of_key = self.deltas.entry(key.into()).or_default();
        of_key.push(delta.into());
        Ok(())
    }

    /// The most that the deltas of a key take in the log.
    pub(super) fn bytes_of(&self, key: &[u8]) -> usize {
        let of_key = self.deltas.get(key).into_iter().flatten();
        of_key.map(|delta| bytes_in_log(key, delta)).sum()
    }

    /// Moves the deltas of a key to the log.
    pub(super) fn log(&mut self, key: &[u8], batch: &mut BatchBuf) {
        for delta in self.deltas.remove(key).into_iter().flatten() {
            self.bytes -= bytes_in_log(key, &delta);
            batch.push(key, &delta);
        }
    }

    /// Moves all deltas to the log.
    pub(super) fn log_all(&mut self, batch: &mut BatchBuf) {
        for (key, deltas) in std::mem::take(self).deltas {
            for delta in deltas {
                batch.push(&key, &delta);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deltas_are_kept_up_to_a_bound_and_logged_once() {
        let mut unlogged = Unlogged::default();
        unlogged.keep(b"a", b"1").unwrap();
        unlogged.keep(b"b", b"2").unwrap();
        unlogged.keep(b"a", b"3").unwrap();
        let bytes = 2 * bytes_in_log(b"a", b"1");
        assert_eq!(
            (unlogged.bytes_of(b"a"), unlogged.bytes_of(b"c")),
            (bytes, 0)
        );
        let large = vec![0; UNLOGGED_MAX_BYTES - 4 * bytes_in_log(b"", b"") - 6];
        assert!(unlogged.keep(b"", &[&large[..], &[0]].concat()).is_err());
        unlogged.keep(b"", &large).unwrap();
        assert!(unlogged.keep(b"c", b"4").is_err());

        let mut batch = BatchBuf::new();
        unlogged.log(b"a", &mut batch);
        assert_eq!((batch.records(), unlogged.bytes_of(b"a")), (2, 0));
        unlogged.keep(b"c", b"4").unwrap();
        unlogged.log_all(&mut batch);
        assert_eq!(batch.records(), 5);
        unlogged.log_all(&mut batch);
        assert_eq!((batch.records(), unlogged.bytes), (5, 0));
    }
}
