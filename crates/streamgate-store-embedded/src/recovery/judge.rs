//! Judges the log piece by piece: what counts, what a crash tore, and what is damage.
//!
//! A batch that cannot be read was torn by a crash, unless something that was written later says
//! that it had been on disk: a later batch, or a snapshot. Then it had been acknowledged, and
//! going on without it would be a lie.

use std::path::Path;

use crate::error::OpenError;
use crate::log::Lsn;
use crate::log::frame::{Batch, Piece};
use crate::recovery::{damaged, segment_path};

/// Reads the log in order.
#[derive(Debug)]
pub(crate) struct Judge {
    /// The position of the next record.
    next: Lsn,
    /// Where the log ends, for all that is known so far.
    torn: Option<Torn>,
    /// Where reading has come to.
    at: Spot,
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Spot {
    /// The segment.
    pub(crate) segment: u64,
    /// The byte within it.
    pub(crate) offset: u64,
}

/// The place from which on the log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Torn {
    pub(crate) at: Spot,
    pub(crate) what: String,
}

/// The log has lost what was on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LostProven {
    pub(crate) at: Spot,
    pub(crate) what: String,
}

impl LostProven {
    /// The same as an error of a directory.
    pub(crate) fn at(self, dir: &Path) -> OpenError {
        let path = segment_path(dir, self.at.segment);
        damaged(dir, &path, Some(self.at.offset), self.what)
    }
}

impl Judge {
    /// A log whose first record has this position.
    pub(crate) fn new(first: Lsn) -> Self {
        Self {
            next: first,
            torn: None,
            at: Spot::default(),
        }
    }

    /// The position that the next record must have.
    pub(crate) fn next(&self) -> Lsn {
        self.next
    }

    /// Takes the next piece of a segment. `Some` is a batch that counts.
    pub(crate) fn take(&mut self, segment: u64, piece: Piece) -> Result<Option<Batch>, LostProven> {
        let batch = match piece {
            Piece::Batch(batch) => batch,
            Piece::Rubble { offset, what, .. } => {
                self.tear(segment, offset, what.to_owned());
                return Ok(None);
            }
        };
        if self.torn.is_none() && batch.first == self.next {
            self.next = batch.next();
            self.at = Spot {
                segment,
                offset: batch.end() as u64,
            };
            return Ok(Some(batch));
        }
        let next = self.next;
        let torn = self.tear(
            segment,
            batch.offset,
            format!("record {next} should follow, record {} does", batch.first),
        );
        // A batch that begins before the next record repeats what counted already: no crash does.
        if batch.synced >= next || batch.first < next {
            return Err(LostProven {
                at: torn.at,
                what: format!(
                    "{}; the batch at byte {} of segment {segment} proves that it had been on disk",
                    torn.what, batch.offset
                ),
            });
        }
        Ok(None)
    }

    fn tear(&mut self, segment: u64, offset: usize, what: String) -> &Torn {
        self.torn.get_or_insert(Torn {
            at: Spot {
                segment,
                offset: offset as u64,
            },
            what,
        })
    }

    /// The position of the last record, and the torn tail if there is one. Everything up to
    /// `proven` must be there, because a snapshot says so.
    pub(crate) fn finish(self, proven: Lsn) -> Result<(Lsn, Option<Torn>), LostProven> {
        let last = self.next - 1;
        if last >= proven {
            return Ok((last, self.torn));
        }
        let (at, what) = match self.torn {
            Some(torn) => (torn.at, torn.what),
            None => (self.at, "the log ends here".to_owned()),
        };
        let what = format!("{what}; the snapshot proves that it went on to record {proven}");
        Err(LostProven { at, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::frame::{BatchBuf, pieces};

    /// A segment with batches of one record each, which say that `synced` was on disk.
    fn segment(batches: &[(Lsn, Lsn)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (first, synced) in batches {
            let mut batch = BatchBuf::new();
            batch.push(b"key", b"delta");
            bytes.extend_from_slice(batch.seal(0, *first, *synced));
        }
        bytes.extend_from_slice(&[0; 64]);
        bytes
    }

    fn judge(segments: &[Vec<u8>], proven: Lsn) -> Result<(Lsn, Option<Spot>), LostProven> {
        let mut judge = Judge::new(1);
        for (number, bytes) in (1..).zip(segments) {
            for piece in pieces(bytes, 0, 0) {
                judge.take(number, piece)?;
            }
        }
        let (last, torn) = judge.finish(proven)?;
        Ok((last, torn.map(|torn| torn.at)))
    }

    #[test]
    fn a_whole_log_counts_to_its_end() {
        let log = [segment(&[(1, 0), (2, 1)]), segment(&[(3, 2)]), segment(&[])];
        assert_eq!(judge(&log, 3), Ok((3, None)));
    }

    #[test]
    fn a_spoiled_batch_is_torn_unless_a_later_one_or_a_snapshot_proves_it() {
        let mut log = [segment(&[(1, 0), (2, 1), (3, 1)])];
        let batch_len = (log[0].len() - 64) / 3;
        log[0][batch_len + 5] ^= 1;
        let torn = Spot {
            segment: 1,
            offset: batch_len as u64,
        };
        assert_eq!(judge(&log, 1), Ok((1, Some(torn))));
        assert_eq!(judge(&log, 2).unwrap_err().at, torn);
        let mut proven = [segment(&[(1, 0), (2, 1), (3, 2)])];
        proven[0][batch_len + 5] ^= 1;
        let error = judge(&proven, 0).unwrap_err();
        assert_eq!(error.at, torn);
        assert!(error.what.contains("checksum"), "{}", error.what);
    }

    #[test]
    fn a_hole_between_segments_is_damage() {
        let log = [segment(&[(1, 0)]), segment(&[(3, 2)])];
        assert_eq!(judge(&log, 0).unwrap_err().at.segment, 2);
        assert_eq!(judge(&log[..1], 5).unwrap_err().at.segment, 1);
    }
}
