//! Reading a snapshot, block by block.

use std::io;

use crate::disk::DiskFile;
use crate::format::{FileHeader, HEADER_BYTES};
pub(crate) use crate::snapshot::format::sections;
use crate::snapshot::format::{self, BLOCK_HEADER_BYTES, End, Read};

/// Reads the blocks of a snapshot in order.
pub(crate) struct SnapshotReader<'a> {
    file: &'a dyn DiskFile,
    len: u64,
    salt: u32,
    offset: u64,
    block: u64,
}

/// What comes next in a snapshot.
pub(crate) enum Next {
    /// A whole block: its sections.
    Block {
        /// Where it begins in the file.
        offset: u64,
        /// Header and sections; see [`payload`].
        bytes: Vec<u8>,
    },
    /// The end mark; the number of blocks is right.
    End(End),
    /// A damaged place.
    Damage {
        /// Where.
        offset: u64,
        /// What.
        what: &'static str,
    },
}

/// The sections of a block that [`SnapshotReader::next`] returned.
pub(crate) fn payload(block: &[u8]) -> &[u8] {
    &block[BLOCK_HEADER_BYTES..]
}

impl<'a> SnapshotReader<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, header: &FileHeader) -> io::Result<Self> {
        Ok(Self {
            len: file.len()?,
            file,
            salt: header.salt(),
            offset: HEADER_BYTES as u64,
            block: 0,
        })
    }

    /// Skips a damaged place up to the next whole block. Returns `false` if there is none.
    pub(crate) fn skip_damage(&mut self) -> io::Result<bool> {
        let len = usize::try_from(self.len - self.offset).expect("a snapshot fits into memory");
        let mut rest = vec![0; len];
        self.file.read_at(&mut rest, self.offset)?;
        let Some((at, number)) = format::find_block(&rest, 1, self.salt) else {
            return Ok(false);
        };
        self.offset += at as u64;
        self.block = number;
        Ok(true)
    }

    /// Reads the next block. After `Damage`, [`skip_damage`](Self::skip_damage) comes first.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        let offset = self.offset;
        let damage = |what| Ok(Next::Damage { offset, what });
        const SHORT: &str = "the file ends before its end mark";
        let mut header = [0; BLOCK_HEADER_BYTES];
        if offset + BLOCK_HEADER_BYTES as u64 > self.len {
            return damage(SHORT);
        }
        self.file.read_at(&mut header, offset)?;
        let len = match format::block_len(&header) {
            Ok(len) => len,
            Err(what) => return damage(what),
        };
        if offset + len as u64 > self.len {
            return damage(SHORT);
        }
        let mut bytes = vec![0; len];
        self.file.read_at(&mut bytes, offset)?;
        let end = match format::read(&bytes, self.salt, self.block) {
            Err(what) => return damage(what),
            Ok(Read::Block) => None,
            Ok(Read::End(end)) => Some(end),
        };
        self.offset += len as u64;
        match end {
            None => {
                self.block += 1;
                Ok(Next::Block { offset, bytes })
            }
            Some(end) if end.blocks != self.block => damage("a block is missing"),
            Some(end) => Ok(Next::End(end)),
        }
    }
}
