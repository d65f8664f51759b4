//! The framing of a snapshot: blocks of about a megabyte, then an end that counts them.
//!
//! ```text
//! magic u32 · checksum u32 · payload length u32 · zero u32 · number of the block u64
//! section: shard, position of the copy, count, then per record: key length, key, record length,
//! record (all numbers in LEB128)
//! end: blocks, records, highest position of a copy
//! ```

use crate::format::{put_bytes, put_varint, take_bytes, take_varint, u32_at, u64_at};
use crate::log::Lsn;
use crate::table::entry::Entry;

/// The length of a block header.
pub(super) const BLOCK_HEADER_BYTES: usize = 24;

const BLOCK: [u8; 4] = [0xf5, b'S', b'G', b'P'];
const END: [u8; 4] = [0xf5, b'S', b'G', b'E'];

/// What the end of a snapshot says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct End {
    /// How many blocks there are.
    pub(crate) blocks: u64,
    /// How many records.
    pub(crate) records: u64,
    /// The log was on disk up to here when the snapshot was named.
    pub(crate) position: Lsn,
}

/// A block that is being filled.
pub(super) struct BlockBuf(Vec<u8>);

impl BlockBuf {
    pub(super) fn new() -> Self {
        Self(vec![0; BLOCK_HEADER_BYTES])
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == BLOCK_HEADER_BYTES
    }

    pub(super) fn clear(&mut self) {
        self.0.truncate(BLOCK_HEADER_BYTES);
    }

    /// Begins a section.
    pub(super) fn section(&mut self, shard: usize, position: Lsn, count: usize) {
        put_varint(&mut self.0, shard as u64);
        put_varint(&mut self.0, position);
        put_varint(&mut self.0, count as u64);
    }

    pub(super) fn record(&mut self, entry: &Entry) {
        let (key, record) = entry.parts();
        put_bytes(&mut self.0, key);
        put_bytes(&mut self.0, record);
    }

    pub(super) fn end(end: End) -> Self {
        let mut block = Self::new();
        put_varint(&mut block.0, end.blocks);
        put_varint(&mut block.0, end.records);
        put_varint(&mut block.0, end.position);
        block
    }

    /// Writes the header; the bytes are then ready for the disk.
    pub(super) fn seal(&mut self, salt: u32, number: u64, is_end: bool) -> &[u8] {
        let payload_len = u32::try_from(self.0.len() - BLOCK_HEADER_BYTES)
            .expect("a block is a megabyte and one shard at most");
        self.0[0..4].copy_from_slice(if is_end { &END } else { &BLOCK });
        self.0[8..12].copy_from_slice(&payload_len.to_le_bytes());
        self.0[16..24].copy_from_slice(&number.to_le_bytes());
        let sum = checksum(salt, &self.0);
        self.0[4..8].copy_from_slice(&sum.to_le_bytes());
        &self.0
    }
}

/// The checksum of all bytes of a block except the checksum itself.
fn checksum(salt: u32, block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(salt, &block[..4]), &block[8..])
}

/// The length of the block with this header, header included.
pub(super) fn block_len(header: &[u8; BLOCK_HEADER_BYTES]) -> Result<usize, &'static str> {
    if header[..4] != BLOCK && header[..4] != END {
        return Err("there is no block where one should begin");
    }
    Ok(BLOCK_HEADER_BYTES + u32_at(header, 8) as usize)
}

/// What a block is.
pub(super) enum Read {
    Block,
    End(End),
}

/// Checks a whole block, which must be the one with this number.
pub(super) fn read(block: &[u8], salt: u32, number: u64) -> Result<Read, &'static str> {
    if checksum(salt, block) != u32_at(block, 4) {
        return Err("the checksum of a block is wrong");
    }
    if u64_at(block, 16) != number {
        return Err("a block is missing");
    }
    let mut payload = &block[BLOCK_HEADER_BYTES..];
    if block[..4] != END {
        return Ok(Read::Block);
    }
    let mut number = || take_varint(&mut payload).ok_or("the end of the snapshot is too short");
    Ok(Read::End(End {
        blocks: number()?,
        records: number()?,
        position: number()?,
    }))
}

/// The head of one shard's copy.
pub(crate) struct Section {
    pub(crate) shard: usize,
    /// The copy contains exactly the changes up to here.
    pub(crate) position: Lsn,
    pub(crate) count: usize,
}

/// Reads the sections of a payload: for each its head, then its records.
pub(crate) fn sections<'a>(
    mut payload: &'a [u8],
    mut section: impl FnMut(&Section),
    mut record: impl FnMut(&'a [u8], &'a [u8]),
) -> Result<(), &'static str> {
    const SHORT: &str = "a block ends within a record";
    while !payload.is_empty() {
        let mut number = || take_varint(&mut payload).ok_or(SHORT);
        let head = Section {
            shard: usize::try_from(number()?).map_err(|_| SHORT)?,
            position: number()?,
            count: usize::try_from(number()?).map_err(|_| SHORT)?,
        };
        section(&head);
        for _ in 0..head.count {
            let key = take_bytes(&mut payload).ok_or(SHORT)?;
            record(key, take_bytes(&mut payload).ok_or(SHORT)?);
        }
    }
    Ok(())
}

/// The offset of the next whole block at or behind `from`, and its number. For reading on behind
/// damage.
pub(super) fn find_block(bytes: &[u8], from: usize, salt: u32) -> Option<(usize, u64)> {
    (from..bytes.len().saturating_sub(BLOCK_HEADER_BYTES)).find_map(|at| {
        let header = bytes[at..].first_chunk()?;
        let block = bytes.get(at..at + block_len(header).ok()?)?;
        let number = u64_at(block, 16);
        read(block, salt, number).ok().map(|_| (at, number))
    })
}
