//! The header that every file of the store begins with, and numbers as bytes.
//!
//! The layout and checksum of the first 64 bytes stay the same in every version, so that a program
//! can always tell a damaged file from a newer one. The golden files under `tests/golden/` hold each
//! version's bytes and never change: another layout of a header, a batch, a block or a list of a
//! backup has a new version.

use crate::table::hash::HashSeed;

/// The version that is written, and the newest that is understood.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// The length of a header.
pub(crate) const HEADER_BYTES: usize = 64;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileKind {
    /// A piece of the log.
    Segment,
    /// All records at one moment.
    Snapshot,
}

/// The header of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHeader {
    /// What the file is.
    pub(crate) kind: FileKind,
    /// Of a segment its place in the log, of a snapshot the first segment behind it.
    pub(crate) number: u64,
    /// The length that was written and synced before the file was named.
    pub(crate) capacity: u64,
    /// The hash seed of the directory.
    pub(crate) seed: HashSeed,
    /// Snapshots only: the position of the first record of segment `number`.
    pub(crate) log_from: u64,
    /// Snapshots only: how many bits of the hash choose the shard.
    pub(crate) shard_bits: u32,
}

/// Why the first bytes of a file are not a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// The bytes are damaged; the text says how.
    Damaged(&'static str),
    /// The file was written by a newer version.
    Newer(u32),
}

impl FileKind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Segment => b"SGATELOG",
            Self::Snapshot => b"SGATESNP",
        }
    }

    /// The name of a file of this kind.
    pub(crate) fn file_name(self, number: u64) -> String {
        match self {
            Self::Segment => format!("log-{number:016x}.sg"),
            Self::Snapshot => format!("snapshot-{number:016x}.sg"),
        }
    }

    /// Parses a file name; `None` for a name that is not the store's.
    pub(crate) fn parse_name(name: &str) -> Option<(Self, u64)> {
        let stem = name.strip_suffix(".sg")?;
        let (kind, hex) = match stem.strip_prefix("log-") {
            Some(hex) => (Self::Segment, hex),
            None => (Self::Snapshot, stem.strip_prefix("snapshot-")?),
        };
        let number = u64::from_str_radix(hex, 16).ok()?;
        (kind.file_name(number) == name).then_some((kind, number))
    }
}

impl FileHeader {
    /// The header as bytes.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(self.kind.magic());
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.capacity.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.seed.0[0].to_le_bytes());
        bytes[40..48].copy_from_slice(&self.seed.0[1].to_le_bytes());
        bytes[48..56].copy_from_slice(&self.log_from.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.shard_bits.to_le_bytes());
        let sum = header_sum(&bytes);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a header.
    pub(crate) fn decode(kind: FileKind, bytes: &[u8]) -> Result<Self, HeaderError> {
        let bytes: &[u8; HEADER_BYTES] = bytes
            .first_chunk()
            .ok_or(HeaderError::Damaged("the file ends within its header"))?;
        if bytes[0..8] != *kind.magic() {
            return Err(HeaderError::Damaged(
                "the file does not begin with its mark",
            ));
        }
        if u32_at(bytes, 12) != header_sum(bytes) {
            return Err(HeaderError::Damaged("the checksum of the header is wrong"));
        }
        match u32_at(bytes, 8) {
            FORMAT_VERSION => {}
            version => return Err(HeaderError::Newer(version)),
        }
        Ok(Self {
            kind,
            number: u64_at(bytes, 16),
            capacity: u64_at(bytes, 24),
            seed: HashSeed([u64_at(bytes, 32), u64_at(bytes, 40)]),
            log_from: u64_at(bytes, 48),
            shard_bits: u32_at(bytes, 56),
        })
    }

    /// The initial value of the checksums in this file. So bytes of another file or directory, and
    /// bytes that a client smuggled into a record, never pass for a part of this file.
    pub(crate) fn salt(&self) -> u32 {
        salt(self.seed, self.kind, self.number)
    }
}

/// The salt of a file; see [`FileHeader::salt`].
pub(crate) fn salt(seed: HashSeed, kind: FileKind, number: u64) -> u32 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(kind.magic());
    bytes[8..].copy_from_slice(&number.to_le_bytes());
    u32_at(&seed.hash(&bytes).to_le_bytes(), 0)
}

fn header_sum(bytes: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// The number at `at`, which must be within `bytes`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(
        *bytes[at..]
            .first_chunk()
            .expect("the caller checked the length"),
    )
}

/// The number at `at`, which must be within `bytes`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(
        *bytes[at..]
            .first_chunk()
            .expect("the caller checked the length"),
    )
}

/// Appends a number in LEB128: one byte for small ones, as most lengths are.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes a LEB128 number from the front of `bytes`; `None` if there is none.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Takes what [`put_bytes`] wrote.
pub(crate) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_varint(bytes)?).ok()?;
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FileHeader = FileHeader {
        kind: FileKind::Segment,
        number: 7,
        capacity: 4096,
        seed: HashSeed([1, 2]),
        log_from: 3,
        shard_bits: 12,
    };

    #[test]
    fn a_header_comes_back() {
        assert_eq!(
            FileHeader::decode(FileKind::Segment, &HEADER.encode()),
            Ok(HEADER)
        );
    }

    #[test]
    fn a_header_with_any_bit_flipped_is_refused() {
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = HEADER.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = FileHeader::decode(FileKind::Segment, &bytes);
            assert!(
                matches!(read, Err(HeaderError::Damaged(_))),
                "bit {bit}: {read:?}"
            );
        }
    }

    #[test]
    fn a_newer_version_is_not_called_damaged() {
        let mut bytes = HEADER.encode();
        bytes[8] = 9;
        let sum = header_sum(&bytes);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(
            FileHeader::decode(FileKind::Segment, &bytes),
            Err(HeaderError::Newer(9))
        );
    }

    #[test]
    fn names_come_back_and_foreign_ones_do_not() {
        for kind in [FileKind::Segment, FileKind::Snapshot] {
            assert_eq!(
                FileKind::parse_name(&kind.file_name(0xab)),
                Some((kind, 0xab))
            );
        }
        for name in [
            "LOCK",
            "log-1.sg",
            "log-00000000000000AB.sg",
            "notes.txt",
            "log-.sg",
        ] {
            assert_eq!(FileKind::parse_name(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_of_every_size_come_back() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut rest = bytes.as_slice();
            assert_eq!((take_varint(&mut rest), rest), (Some(value), [].as_slice()));
            assert_eq!(take_varint(&mut &bytes[..bytes.len() - 1]), None);
        }
    }
}
