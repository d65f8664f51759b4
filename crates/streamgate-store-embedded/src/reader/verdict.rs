//! The torn-or-damaged verdict: which bytes of the log count, which a crash tore, and which are
//! damage.
//!
//! A batch that cannot be read was torn by a crash, unless something that was written later says
//! that it had been on disk: a later batch, or a snapshot. Then it had been acknowledged, and
//! going on without it would be a lie.

use std::collections::VecDeque;

use crate::format::HEADER_BYTES;
use crate::log::Lsn;
use crate::log::frame::{Batch, Piece};

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogPosition {
    /// The segment.
    pub(crate) segment: u64,
    /// The byte within it.
    pub(crate) offset: u64,
}

/// The place from which on a crash tore the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Torn {
    pub(crate) at: LogPosition,
    pub(crate) what: String,
}

/// Whole batches, each with the number of its segment, in the order of the log.
pub(super) type Batches = VecDeque<(u64, Batch)>;

/// Judges the log piece by piece, in order.
#[derive(Debug)]
pub(super) struct TailVerdict {
    /// The position of the next record; `None` before the first batch of a log whose snapshot is
    /// lost.
    next: Option<Lsn>,
    /// The snapshot says that the log was on disk up to here.
    snapshot_through: Lsn,
    /// Where the last batch that counts ends.
    end: LogPosition,
    /// The batches from the current piece on. Collected at the first piece that does not count.
    ahead: Option<Batches>,
    /// The piece before could not be read and is damage.
    in_damage: bool,
    /// Ranges of records that are lost, both ends included.
    lost: Vec<(Lsn, Lsn)>,
}

/// What a piece is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The next batch.
    Counts,
    /// The beginning of the torn tail: nothing behind it counts.
    Torn(String),
    /// Damage. A batch behind it counts, because the damage is what kept its place from being
    /// found.
    Damaged {
        /// `None` where it was reported with the piece before.
        what: Option<String>,
        /// Whether the piece is a batch that counts.
        counts: bool,
    },
}

impl TailVerdict {
    /// A log that begins in segment `segment` with the record at position `first`, and that was on
    /// disk up to `snapshot_through`.
    pub(super) fn new(first: Option<Lsn>, snapshot_through: Lsn, segment: u64) -> Self {
        Self {
            next: first,
            snapshot_through,
            end: LogPosition {
                segment,
                offset: HEADER_BYTES as u64,
            },
            ahead: None,
            in_damage: false,
            lost: Vec::new(),
        }
    }

    /// The position that the next record has, or would have.
    pub(super) fn next(&self) -> Lsn {
        self.next.unwrap_or(1)
    }

    /// Judges the next piece. `ahead` finds the batches from this piece on, this one included.
    pub(super) fn take<E>(
        &mut self,
        segment: u64,
        piece: &Piece,
        ahead: impl FnOnce() -> Result<Batches, E>,
    ) -> Result<Verdict, E> {
        if let Piece::Batch(batch) = piece
            && self.next.is_none_or(|next| next == batch.first)
        {
            self.count(segment, batch);
            self.leave_behind(piece);
            return Ok(Verdict::Counts);
        }
        if self.ahead.is_none() {
            self.ahead = Some(ahead()?);
        }
        let verdict = self.judge_gap(segment, piece);
        self.leave_behind(piece);
        Ok(verdict)
    }

    /// Judges a piece that is not the next batch.
    fn judge_gap(&mut self, segment: u64, piece: &Piece) -> Verdict {
        let what = match piece {
            Piece::Unreadable { what, .. } => (*what).to_owned(),
            Piece::Batch(batch) => {
                format!(
                    "record {} should follow, record {} does",
                    self.next(),
                    batch.first
                )
            }
        };
        let Some(proof) = self.proof() else {
            return Verdict::Torn(what);
        };
        let is_unreadable = matches!(piece, Piece::Unreadable { .. });
        // A gap behind damage is what the damage was.
        let is_reported = std::mem::replace(&mut self.in_damage, is_unreadable);
        let what = (!is_reported).then(|| what + &proof);
        let mut counts = false;
        if let Piece::Batch(batch) = piece {
            let next = self.next();
            counts = batch.first > next;
            if counts {
                self.lost.push((next, batch.first - 1));
                self.count(segment, batch);
            }
        }
        Verdict::Damaged { what, counts }
    }

    /// What shows that the next record had been on disk; `None` if nothing does.
    fn proof(&self) -> Option<String> {
        let Some(next) = self.next else {
            // The log of a lost snapshot is read for what can be saved.
            return Some(String::new());
        };
        // A batch that begins before the next record repeats what counted already: no crash does.
        let proves = |(_, batch): &&(u64, Batch)| batch.synced >= next || batch.first < next;
        if let Some((segment, batch)) = self.ahead.iter().flatten().find(proves) {
            let at = batch.offset;
            return Some(format!(
                "; the batch at byte {at} of segment {segment} proves that it had been on disk"
            ));
        }
        let through = self.snapshot_through;
        (next <= through)
            .then(|| format!("; the snapshot proves that it went on to record {through}"))
    }

    /// The next piece follows.
    fn leave_behind(&mut self, piece: &Piece) {
        if let (Piece::Batch(_), Some(ahead)) = (piece, &mut self.ahead) {
            ahead.pop_front();
        }
    }

    fn count(&mut self, segment: u64, batch: &Batch) {
        self.next = Some(batch.next());
        self.in_damage = false;
        self.end = LogPosition {
            segment,
            offset: batch.end() as u64,
        };
    }

    /// Ends the log.
    pub(super) fn finish(mut self) -> End {
        let (next, through) = (self.next(), self.snapshot_through);
        let mut cut_short = None;
        if next <= through {
            self.lost.push((next, through));
            let proof = format!("the snapshot proves that it went on to record {through}");
            cut_short =
                (!self.in_damage).then(|| (self.end, format!("the log ends here; {proof}")));
        }
        End {
            last: through.max(next - 1),
            lost: self.lost,
            cut_short,
        }
    }
}

/// The end of the log.
#[derive(Debug)]
pub(super) struct End {
    /// The position of the last record, lost ones included.
    pub(super) last: Lsn,
    /// Ranges of records that are lost, both ends included.
    pub(super) lost: Vec<(Lsn, Lsn)>,
    /// Where the log ends although it had been longer, and what shows that.
    pub(super) cut_short: Option<(LogPosition, String)>,
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

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

    /// What a log was found to be.
    #[derive(Debug, PartialEq, Eq)]
    struct Found {
        last: Lsn,
        torn: Option<LogPosition>,
        /// Where each damage begins, and what it is.
        damage: Vec<(LogPosition, String)>,
        lost: Vec<(Lsn, Lsn)>,
    }

    fn read(log: &[Vec<u8>], snapshot_through: Lsn) -> Found {
        let all: Vec<(u64, Piece)> = (1..)
            .zip(log)
            .flat_map(|(number, bytes)| pieces(bytes, 0, 0).map(move |piece| (number, piece)))
            .collect();
        let mut verdict = TailVerdict::new(Some(1), snapshot_through, 1);
        let (mut torn, mut damage) = (None, Vec::new());
        for (index, (segment, piece)) in all.iter().enumerate() {
            let ahead = || Ok::<_, Infallible>(all[index..].iter().filter_map(batch).collect());
            let (segment, offset) = (*segment, piece.offset() as u64);
            let at = LogPosition { segment, offset };
            match verdict.take(segment, piece, ahead).unwrap() {
                Verdict::Counts => {}
                Verdict::Torn(_) => {
                    torn = Some(at);
                    break;
                }
                Verdict::Damaged { what, .. } => damage.extend(what.map(|what| (at, what))),
            }
        }
        let end = verdict.finish();
        damage.extend(end.cut_short);
        Found {
            last: end.last,
            torn,
            damage,
            lost: end.lost,
        }
    }

    fn batch((segment, piece): &(u64, Piece)) -> Option<(u64, Batch)> {
        match piece {
            Piece::Batch(batch) => Some((*segment, *batch)),
            Piece::Unreadable { .. } => None,
        }
    }

    fn position(segment: u64, offset: usize) -> LogPosition {
        let offset = offset as u64;
        LogPosition { segment, offset }
    }

    #[test]
    fn a_whole_log_counts_to_its_end() {
        let log = [segment(&[(1, 0), (2, 1)]), segment(&[(3, 2)]), segment(&[])];
        let whole = Found {
            last: 3,
            torn: None,
            damage: vec![],
            lost: vec![],
        };
        assert_eq!(read(&log, 3), whole);
    }

    #[test]
    fn a_spoiled_batch_is_torn_unless_a_later_one_or_a_snapshot_proves_it() {
        let mut log = [segment(&[(1, 0), (2, 1), (3, 1)])];
        let batch_len = (log[0].len() - 64) / 3;
        log[0][batch_len + 5] ^= 1;
        let place = position(1, batch_len);
        let torn = Found {
            last: 1,
            torn: Some(place),
            damage: vec![],
            lost: vec![],
        };
        assert_eq!(read(&log, 1), torn);
        let found = read(&log, 2);
        assert_eq!(
            (found.last, found.torn, found.lost),
            (3, None, vec![(2, 2)])
        );
        let (at, what) = &found.damage[0];
        assert!(
            *at == place && what.contains("the snapshot proves"),
            "{what}"
        );
        let mut proven = [segment(&[(1, 0), (2, 1), (3, 2)])];
        proven[0][batch_len + 5] ^= 1;
        let found = read(&proven, 0);
        assert_eq!((found.last, found.lost), (3, vec![(2, 2)]));
        let [(at, what)] = &found.damage[..] else {
            panic!("{:?}", found.damage)
        };
        assert!(*at == place && what.contains("checksum"), "{what}");
    }

    #[test]
    fn a_hole_between_segments_is_damage() {
        let log = [segment(&[(1, 0)]), segment(&[(3, 2)])];
        let found = read(&log, 0);
        assert_eq!((found.last, found.lost), (3, vec![(2, 2)]));
        assert_eq!(found.damage[0].0.segment, 2);
        let found = read(&log[..1], 5);
        assert_eq!((found.last, found.lost), (5, vec![(2, 5)]));
        assert_eq!(found.damage[0].0.segment, 1);
    }

    #[test]
    fn batches_behind_damage_count_although_only_a_later_one_proves_it() {
        let mut log = [segment(&[(1, 0), (2, 1), (3, 1), (4, 3)])];
        let batch_len = (log[0].len() - 64) / 4;
        log[0][batch_len + 5] ^= 1;
        let found = read(&log, 0);
        assert_eq!(
            (found.last, found.torn, found.lost),
            (4, None, vec![(2, 2)])
        );
        assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
        assert_eq!(found.damage[0].0, position(1, batch_len));
    }

    #[test]
    fn a_repeated_batch_is_damage() {
        let log = [segment(&[(1, 0), (2, 1), (2, 1), (3, 1)])];
        let found = read(&log, 0);
        assert_eq!((found.last, found.torn, found.lost), (3, None, vec![]));
        assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
    }
}
