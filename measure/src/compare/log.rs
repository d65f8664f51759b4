//! A bare log: one write and one fdatasync a batch, with a checksum. The floor of what a log costs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Result;

const FILE: &str = "bare.log";

/// A key and what is written of it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Something that makes a batch durable.
pub(super) trait Batches {
    /// Returns when all of the batch is on disk.
    fn commit(&mut self, batch: &[Record]) -> Result<()>;
}

/// How many zeros are made at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// A file that batches are appended to.
pub(super) struct Log {
    file: File,
    offset: u64,
    bytes: Vec<u8>,
}

impl Log {
    /// Makes the file, with at least so many zeros in it.
    pub(super) fn create(dir: &Path, zeros_ahead: u64) -> Result<Self> {
        let path = dir.join(FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        // Zeros that are on disk before they are overwritten: later syncs then carry data only, no
        // lengths and no extents.
        let zeros = vec![0; CHUNK_BYTES];
        for at in (0..zeros_ahead).step_by(CHUNK_BYTES) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self {
            file,
            offset: 0,
            bytes: Vec::new(),
        })
    }
}

impl Batches for Log {
    fn commit(&mut self, batch: &[Record]) -> Result<()> {
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; 8]);
        for record in batch {
            for part in [&record.key, &record.value] {
                self.bytes
                    .extend_from_slice(&u16::try_from(part.len())?.to_le_bytes());
                self.bytes.extend_from_slice(part);
            }
        }
        let len = u32::try_from(self.bytes.len() - 8)?;
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        let sum = crc32c::crc32c(&self.bytes[8..]);
        self.bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        self.file.write_all_at(&self.bytes, self.offset)?;
        self.offset += self.bytes.len() as u64;
        Ok(self.file.sync_data()?)
    }
}
