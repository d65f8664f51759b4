//! Reading and writing of bytes: numbers little-endian, lengths as LEB128.

use crate::bounds::TIMESTAMP_MAX_MS;
use crate::codec::{CodecError, OLDEST, check_version};
use crate::time::Timestamp;

/// Bytes of a stored [`Timestamp`].
const TIMESTAMP_BYTES: usize = 6;

/// Begins a record or a delta, of at least so many bytes, with the oldest version.
/// [`raise_version`] raises it.
pub(super) fn begin(capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity);
    out.push(OLDEST);
    out
}

/// Raises the version of the record or delta in `out` to one that holds the part to come.
pub(super) fn raise_version(out: &mut [u8], to: u8) {
    out[0] = out[0].max(to);
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

pub(super) fn put_len(out: &mut Vec<u8>, len: usize) {
    put_varint(
        out,
        u32::try_from(len).expect("every stored length is bounded"),
    );
}

pub(super) fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.as_millis().to_le_bytes()[..TIMESTAMP_BYTES]);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// A record or a delta, read from the front.
pub(super) struct Reader<'a> {
    /// Its version, one of those that are read.
    pub(super) version: u8,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Checks and reads the version, with which both begin.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, CodecError> {
        check_version(bytes)?;
        Ok(Self {
            version: bytes[0],
            rest: &bytes[1..],
        })
    }

    pub(super) fn finish(self) -> Result<(), CodecError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(CodecError::TrailingBytes(left)),
        }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, CodecError> {
        let (byte, rest) = self.rest.split_first().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn varint(&mut self) -> Result<u32, CodecError> {
        let mut value = 0_u32;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            let bits = u32::from(byte & 0x7f);
            value |= bits
                .checked_shl(shift)
                .filter(|shifted| shifted >> shift == bits)
                .ok_or(CodecError::Invalid("a number"))?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError::Invalid("a number"))
    }

    /// A count of things of at least `bytes_min` bytes each, so never more than the bytes left can
    /// hold: damaged bytes cannot make a reader reserve more memory than a sound record would.
    pub(super) fn count(&mut self, bytes_min: usize) -> Result<usize, CodecError> {
        let count = self.varint()? as usize;
        if count > self.rest.len() / bytes_min {
            Err(CodecError::Truncated)
        } else {
            Ok(count)
        }
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, CodecError> {
        let mut bytes = [0; 8];
        bytes[..TIMESTAMP_BYTES].copy_from_slice(self.take(TIMESTAMP_BYTES)?);
        match u64::from_le_bytes(bytes) {
            ms @ 0..=TIMESTAMP_MAX_MS => Ok(Timestamp::from_millis(ms)),
            _ => Err(CodecError::Invalid("a time")),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'a str, CodecError> {
        let len = self.varint()? as usize;
        std::str::from_utf8(self.take(len)?).map_err(|_| CodecError::Invalid("a text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let edges = (0..32).flat_map(|bit| [(1_u32 << bit) - 1, 1 << bit]);
        for value in edges.chain([u32::MAX]) {
            let mut bytes = begin(6);
            put_varint(&mut bytes, value);
            let bits = (32 - value.leading_zeros()).max(1);
            assert_eq!(bytes.len() - 1, bits.div_ceil(7) as usize, "{value}");
            let mut reader = Reader::new(&bytes).unwrap();
            assert_eq!(reader.varint(), Ok(value));
            assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn a_count_is_at_most_what_the_bytes_left_can_hold() {
        let bytes = [OLDEST, 3, 0, 0, 0, 0, 0, 0];
        let count = |bytes_min| Reader::new(&bytes).unwrap().count(bytes_min);
        assert_eq!(count(1), Ok(3));
        assert_eq!(count(2), Ok(3));
        assert_eq!(count(3), Err(CodecError::Truncated));
    }
}
