//! A bare log: one write and one fdatasync a batch, with a checksum. The floor of what a log costs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Result;
use crate::candidates::Record;
use crate::candidates::shape::Engine;

const FILE: &str = "bare.log";

/// Zeros ahead that are enough for any run of the candidates.
pub(crate) const AHEAD_BYTES: u64 = 512 << 20;

/// How many zeros are made at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// A file that batches are appended to.
pub(crate) struct Log {
    file: File,
    offset: u64,
    bytes: Vec<u8>,
}

impl Log {
    /// Makes the file, with at least so many zeros in it if asked.
    pub(crate) fn create(dir: &Path, zeros_ahead: Option<u64>) -> Result<Self> {
        let path = dir.join(FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        if let Some(ahead) = zeros_ahead {
            // Zeros that are on disk before they are overwritten: later syncs then carry data only,
            // no lengths and no extents.
            let zeros = vec![0; CHUNK_BYTES];
            for at in (0..ahead).step_by(CHUNK_BYTES) {
                file.write_all_at(&zeros, at)?;
            }
        }
        file.sync_all()?;
        Ok(Self {
            file,
            offset: 0,
            bytes: Vec::new(),
        })
    }
}

impl Drop for Log {
    /// Leaves the zeros out that were not needed, so that bytes and reading say what records cost.
    fn drop(&mut self) {
        self.file
            .set_len(self.offset)
            .expect("a file can be made shorter");
    }
}

impl Engine for Log {
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

/// Reads all records and checks their checksums.
pub(crate) fn read_back(dir: &Path) -> Result<u64> {
    let bytes = std::fs::read(dir.join(FILE))?;
    let (mut rest, mut records) = (bytes.as_slice(), 0);
    while let Some((header, body)) = rest.split_first_chunk::<8>() {
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
        let len = number(0) as usize;
        if len == 0 {
            break;
        }
        let (mut batch, behind) = body.split_at_checked(len).ok_or("the log is cut off")?;
        if crc32c::crc32c(batch) != number(4) {
            return Err("the log is damaged".into());
        }
        while let Some((len, parts)) = batch.split_first_chunk::<2>() {
            batch = &parts[usize::from(u16::from_le_bytes(*len))..];
            records += 1;
        }
        rest = behind;
    }
    Ok(records / 2)
}
