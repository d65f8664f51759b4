//! The framing of the log: batches of records, each batch one write.
//!
//! A batch is a header of 32 bytes, its records, and zeros up to a multiple of 8:
//!
//! ```text
//! magic u32 · checksum u32 · payload length u32 · records u32 · first position u64 · synced u64
//! record: key length, key, delta length, delta (lengths in LEB128)
//! ```
//!
//! `synced` is the position up to which the log was on disk when the batch was written. It tells a
//! torn tail from damage: an unreadable batch that a later `synced` covers was not torn by a crash.
//! A batch without records is a mark that carries nothing but `synced`.

use crate::format::{put_bytes, take_bytes, u32_at, u64_at};
use crate::log::Lsn;

/// The length of a batch header.
pub(crate) const BATCH_HEADER_BYTES: usize = 32;

/// Batches begin at multiples of this, which shortens the search for the next one.
const ALIGN: usize = 8;

/// The first byte never occurs in UTF-8, so no id or attribute can look like a batch.
const MAGIC: [u8; 4] = [0xf5, b'S', b'G', b'B'];

/// A batch that is being filled.
#[derive(Debug)]
pub(crate) struct BatchBuf {
    bytes: Vec<u8>,
    records: u32,
}

impl BatchBuf {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; BATCH_HEADER_BYTES],
            records: 0,
        }
    }

    pub(crate) fn push(&mut self, key: &[u8], delta: &[u8]) {
        put_bytes(&mut self.bytes, key);
        put_bytes(&mut self.bytes, delta);
        self.records += 1;
    }

    pub(crate) fn records(&self) -> u32 {
        self.records
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties the buffer for the next batch and frees what it holds beyond `keep_max_bytes`.
    pub(crate) fn clear(&mut self, keep_max_bytes: usize) {
        self.bytes.truncate(BATCH_HEADER_BYTES);
        self.bytes.shrink_to(keep_max_bytes);
        self.records = 0;
    }

    /// Writes the header; the bytes are then ready for the disk.
    pub(crate) fn seal(&mut self, salt: u32, first: Lsn, synced: Lsn) -> &[u8] {
        let payload_len = u32::try_from(self.bytes.len() - BATCH_HEADER_BYTES)
            .expect("the queue is bounded far below 4 GiB");
        let header = &mut self.bytes[..BATCH_HEADER_BYTES];
        header[0..4].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&payload_len.to_le_bytes());
        header[12..16].copy_from_slice(&self.records.to_le_bytes());
        header[16..24].copy_from_slice(&first.to_le_bytes());
        header[24..32].copy_from_slice(&synced.to_le_bytes());
        let sum = crc32c::crc32c_append(salt, &self.bytes[8..]);
        self.bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        self.bytes
            .resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        &self.bytes
    }
}

/// A whole batch within the bytes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Where it begins.
    pub(crate) offset: usize,
    /// The length of its records in bytes.
    payload_len: usize,
    /// How many records it has.
    pub(crate) records: u32,
    /// The position of its first record.
    pub(crate) first: Lsn,
    /// Everything up to here was on disk when it was written.
    pub(crate) synced: Lsn,
}

impl Batch {
    /// Reads the batch at `offset`. The error says what is wrong.
    fn read(bytes: &[u8], offset: usize, salt: u32) -> Result<Self, &'static str> {
        let rest = &bytes[offset..];
        let header = rest
            .get(..BATCH_HEADER_BYTES)
            .ok_or("the file ends within a batch")?;
        if header[..4] != MAGIC {
            return Err("there is no batch where one should begin");
        }
        let payload_len = u32_at(header, 8) as usize;
        let whole = rest
            .get(..BATCH_HEADER_BYTES + payload_len)
            .ok_or("the file ends within a batch")?;
        if crc32c::crc32c_append(salt, &whole[8..]) != u32_at(header, 4) {
            return Err("the checksum of a batch is wrong");
        }
        Ok(Self {
            offset,
            payload_len,
            records: u32_at(header, 12),
            first: u64_at(header, 16),
            synced: u64_at(header, 24),
        })
    }

    /// Where the next batch begins.
    pub(crate) fn end(&self) -> usize {
        self.offset + (BATCH_HEADER_BYTES + self.payload_len).next_multiple_of(ALIGN)
    }

    /// The position behind its last record.
    pub(crate) fn next(&self) -> Lsn {
        self.first + u64::from(self.records)
    }

    /// Its records: position, key, delta. Fails on malformed bytes; the checksum makes that
    /// impossible for bytes that this code wrote.
    pub(crate) fn records<'a>(
        &self,
        bytes: &'a [u8],
    ) -> impl Iterator<Item = Result<(Lsn, &'a [u8], &'a [u8]), &'static str>> {
        let from = self.offset + BATCH_HEADER_BYTES;
        let mut rest = &bytes[from..from + self.payload_len];
        (self.first..self.next()).map(move |lsn| {
            let key = take_bytes(&mut rest).ok_or("a batch ends within a record")?;
            let delta = take_bytes(&mut rest).ok_or("a batch ends within a record")?;
            Ok((lsn, key, delta))
        })
    }
}

/// What the bytes of a segment are, piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A whole batch.
    Batch(Batch),
    /// Bytes that are neither a batch nor the zeros behind the last one. They end where the next
    /// batch begins, or at the end of the file.
    Unreadable {
        /// Where they begin.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl Piece {
    /// Where it begins.
    pub(crate) fn offset(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.offset,
            Self::Unreadable { offset, .. } => *offset,
        }
    }
}

/// The pieces of a segment from `offset` on, up to the zeros at its end.
pub(crate) fn pieces(bytes: &[u8], offset: usize, salt: u32) -> impl Iterator<Item = Piece> {
    let mut at = offset;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        match Batch::read(bytes, at, salt) {
            Ok(batch) => {
                at = batch.end();
                Some(Piece::Batch(batch))
            }
            Err(_) if is_zero(&bytes[at..]) => {
                at = bytes.len();
                None
            }
            Err(what) => {
                let offset = at;
                at = next_batch(bytes, at + ALIGN, salt);
                Some(Piece::Unreadable { offset, what })
            }
        }
    })
}

/// The offset of the next whole batch at or behind `from`, or the length of the file.
fn next_batch(bytes: &[u8], from: usize, salt: u32) -> usize {
    (from..bytes.len())
        .step_by(ALIGN)
        .find(|at| Batch::read(bytes, *at, salt).is_ok())
        .unwrap_or(bytes.len())
}

fn is_zero(bytes: &[u8]) -> bool {
    // A sum over blocks is vectorised, a search byte by byte is not.
    bytes
        .chunks(4096)
        .all(|block| block.iter().fold(0, |sum, byte| sum | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u32 = 0x1234_5678;

    /// A file with three batches of 1, 2 and 3 records and zeros behind them.
    fn file() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut offsets, mut first) = (Vec::new(), Vec::new(), 1);
        for records in 1..=3 {
            offsets.push(bytes.len());
            let mut batch = BatchBuf::new();
            for i in 0..records {
                batch.push(b"default\0user", &vec![i; 50 * usize::from(i)]);
            }
            bytes.extend_from_slice(batch.seal(SALT, first, first - 1));
            first += u64::from(records);
        }
        bytes.resize(4096, 0);
        (bytes, offsets)
    }

    fn batches(bytes: &[u8]) -> Vec<(usize, Lsn, Lsn)> {
        pieces(bytes, 0, SALT)
            .map(|piece| match piece {
                Piece::Batch(batch) => (batch.offset, batch.first, batch.synced),
                Piece::Unreadable { .. } => panic!("unreadable"),
            })
            .collect()
    }

    #[test]
    fn batches_and_their_records_come_back() {
        let (bytes, offsets) = file();
        assert_eq!(
            batches(&bytes),
            [(offsets[0], 1, 0), (offsets[1], 2, 1), (offsets[2], 4, 3)]
        );
        let last = Batch::read(&bytes, offsets[2], SALT).unwrap();
        let records: Vec<_> = last.records(&bytes).map(Result::unwrap).collect();
        assert_eq!(
            records[2],
            (6, b"default\0user".as_slice(), [2; 100].as_slice())
        );
        assert_eq!(last.next(), 7);
    }

    #[test]
    fn a_flipped_bit_spoils_its_batch_and_no_other() {
        let (bytes, offsets) = file();
        for bit in 0..offsets[2] * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let spoiled = usize::from(bit / 8 >= offsets[1]);
            let whole: Vec<usize> = pieces(&bytes, 0, SALT)
                .filter_map(|piece| match piece {
                    Piece::Batch(batch) => Some(batch.offset),
                    Piece::Unreadable { offset, .. } => {
                        assert_eq!(offset, offsets[spoiled]);
                        None
                    }
                })
                .collect();
            // The zeros that fill a batch up to a multiple of 8 carry nothing.
            if whole.len() != 3 {
                assert_eq!(whole, [offsets[1 - spoiled], offsets[2]], "bit {bit}");
            }
        }
    }

    #[test]
    fn batches_of_another_file_are_unreadable() {
        let (bytes, _) = file();
        let read: Vec<Piece> = pieces(&bytes, 0, SALT + 1).collect();
        assert!(matches!(
            read[..],
            [Piece::Unreadable {
                offset: 0,
                what: "the checksum of a batch is wrong",
                ..
            }]
        ));
    }

    #[test]
    fn a_file_cut_anywhere_gives_whole_batches_or_unreadable_bytes_and_never_panics() {
        let (bytes, offsets) = file();
        for len in 0..offsets[2] + 64 {
            let whole = pieces(&bytes[..len], 0, SALT)
                .filter(|piece| matches!(piece, Piece::Batch(_)))
                .count();
            assert!(whole <= offsets.iter().filter(|offset| **offset < len).count());
        }
    }
}
