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
    /// The position of the next record; `None` until the first batch if the snapshot is lost.
    next: Option<Lsn>,
    /// The snapshot says that the log was on disk up to here.
    snapshot_through: Lsn,
    /// Where the last batch that counts ends.
    end: LogPosition,
    /// The batches from the current piece on. Collected at the first piece that does not count.
    ahead: Option<Batches>,
    /// The piece before could not be read and is damage.
    in_damage: bool,
    /// Batches that count and that no later one has proven so far: each with the position that must
    /// be on disk, and where it begins.
    unproven: VecDeque<(Lsn, LogPosition)>,
    torn: Option<Torn>,
    lost: Vec<(Lsn, Lsn)>,
}

/// What is known of the log at its end.
#[derive(Debug)]
pub(crate) struct LogEnd {
    /// The position of the last record, lost ones included.
    pub(crate) last: Lsn,
    /// Where the torn tail begins, if there is one.
    pub(crate) torn: Option<Torn>,
    /// Ranges of records that are lost, both ends included.
    pub(crate) lost: Vec<(Lsn, Lsn)>,
    /// The first batch that neither the snapshot nor a later batch proves to be on disk. It may be
    /// in the page cache only.
    pub(crate) unproven_from: Option<LogPosition>,
}

/// What a piece is.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// A batch that counts.
    pub(super) batch: Option<Batch>,
    /// Damage that begins here and has not been reported yet.
    pub(super) damage: Option<String>,
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
            unproven: VecDeque::new(),
            torn: None,
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
    ) -> Result<Judged, E> {
        if self.torn.is_some() {
            return Ok(Judged::default());
        }
        let batch = match piece {
            Piece::Batch(batch) => Some(*batch),
            Piece::Unreadable { .. } => None,
        };
        let is_next = batch.is_some_and(|it| self.next.is_none_or(|next| next == it.first));
        if !is_next && self.ahead.is_none() {
            self.ahead = Some(ahead()?);
        }
        let damage = if is_next {
            None
        } else {
            self.judge_gap(segment, piece)
        };
        let counts = self.torn.is_none() && batch.is_some_and(|it| it.first >= self.next());
        if let Some(batch) = batch.filter(|_| counts) {
            self.count(segment, &batch);
        }
        if let (Some(_), Some(ahead)) = (batch, &mut self.ahead) {
            ahead.pop_front();
        }
        let batch = batch.filter(|_| counts);
        Ok(Judged { batch, damage })
    }

    /// Judges a piece that is not the next batch: the torn tail begins here, or damage.
    fn judge_gap(&mut self, segment: u64, piece: &Piece) -> Option<String> {
        let next = self.next();
        let what = match piece {
            Piece::Unreadable { what, .. } => (*what).to_owned(),
            Piece::Batch(batch) => {
                format!("record {next} should follow, record {} does", batch.first)
            }
        };
        let Some(proof) = self.proof() else {
            let offset = piece.offset() as u64;
            let at = LogPosition { segment, offset };
            self.torn = Some(Torn { at, what });
            return None;
        };
        if let Piece::Batch(batch) = piece
            && batch.first > next
        {
            self.lost.push((next, batch.first - 1));
        }
        // A gap behind unreadable bytes is what these bytes were.
        let is_unreadable = matches!(piece, Piece::Unreadable { .. });
        let is_reported = std::mem::replace(&mut self.in_damage, is_unreadable);
        (!is_reported).then(|| what + &proof)
    }

    /// What shows that the next record had been on disk; `None` if nothing does.
    fn proof(&self) -> Option<String> {
        let Some(next) = self.next else {
            // The log behind a lost snapshot is read for what can be saved.
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

    fn count(&mut self, segment: u64, batch: &Batch) {
        self.next = Some(batch.next());
        self.in_damage = false;
        let position = |offset: usize| LogPosition {
            segment,
            offset: offset as u64,
        };
        self.end = position(batch.end());
        let is_proven = |(through, _): &mut (Lsn, LogPosition)| *through <= batch.synced;
        while self.unproven.pop_front_if(is_proven).is_some() {}
        // A mark has no record; it is on disk with the next one.
        let through = batch.first.max(batch.next() - 1);
        self.unproven.push_back((through, position(batch.offset)));
    }

    /// Ends the log. Also returns where it ends if it had been longer, and what shows that.
    pub(super) fn finish(mut self) -> (LogEnd, Option<(LogPosition, String)>) {
        let (next, through) = (self.next(), self.snapshot_through);
        let mut cut_short = None;
        if next <= through {
            self.lost.push((next, through));
            let proof = format!("the snapshot proves that it went on to record {through}");
            cut_short =
                (!self.in_damage).then(|| (self.end, format!("the log ends here; {proof}")));
        }
        let unproven = self.unproven.iter().find(|(needs, _)| *needs > through);
        let end = LogEnd {
            last: through.max(next - 1),
            torn: self.torn,
            lost: self.lost,
            unproven_from: unproven.map(|(_, at)| *at),
        };
        (end, cut_short)
    }
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
        let mut damage = Vec::new();
        for (index, (segment, piece)) in all.iter().enumerate() {
            let ahead = || Ok::<_, Infallible>(all[index..].iter().filter_map(batch).collect());
            let judged = verdict.take(*segment, piece, ahead).unwrap();
            let at = position(*segment, piece.offset());
            damage.extend(judged.damage.map(|what| (at, what)));
        }
        let (end, cut_short) = verdict.finish();
        damage.extend(cut_short);
        Found {
            last: end.last,
            torn: end.torn.map(|torn| torn.at),
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
