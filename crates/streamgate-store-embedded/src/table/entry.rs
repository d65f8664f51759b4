//! A key and its record in one allocation.
//!
//! Millions of these make up the memory of the process, so they hold nothing else: no version, no
//! counter, no spare capacity. The length of the key comes first, in one byte up to 127, else in
//! two.

/// A key and its record.
pub(crate) struct Entry(Box<[u8]>);

/// This bit of the first byte marks a key length of two bytes.
const LONG: u8 = 0x80;

impl Entry {
    pub(crate) fn new(key: &[u8], record: &[u8]) -> Self {
        let key_len = u16::try_from(key.len()).expect("a key is at most 321 bytes");
        debug_assert!(
            key_len < 1 << 15,
            "the length of a key leaves room for the mark"
        );
        let [low, high] = key_len.to_le_bytes();
        let long = key_len >= u16::from(LONG);
        let mut bytes = Vec::with_capacity(1 + usize::from(long) + key.len() + record.len());
        if long {
            bytes.push(LONG | high);
        }
        bytes.push(low);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(record);
        Self(bytes.into_boxed_slice())
    }

    fn key_range(&self) -> (usize, usize) {
        let first = self.0[0];
        if first & LONG == 0 {
            (1, 1 + usize::from(first))
        } else {
            let len = u16::from_le_bytes([self.0[1], first & !LONG]);
            (2, 2 + usize::from(len))
        }
    }

    pub(crate) fn key(&self) -> &[u8] {
        let (from, to) = self.key_range();
        &self.0[from..to]
    }

    pub(crate) fn record(&self) -> &[u8] {
        &self.0[self.key_range().1..]
    }

    /// The key and the record.
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        let (from, to) = self.key_range();
        (&self.0[from..to], &self.0[to..])
    }

    /// The length of all bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Replaces the record, in place if its length is the same, as after a renewed lease.
    pub(crate) fn set_record(&mut self, record: &[u8]) {
        let to = self.key_range().1;
        if self.0.len() - to == record.len() {
            self.0[to..].copy_from_slice(record);
        } else {
            *self = Self::new(self.key(), record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_records_of_every_length_come_back() {
        for key_len in [0_usize, 1, 126, 127, 128, 255, 256, 321] {
            let key = vec![b'k'; key_len];
            let mut entry = Entry::new(&key, b"one");
            assert_eq!(entry.parts(), (key.as_slice(), b"one".as_slice()));
            for record in [b"two".as_slice(), b"", &[7; 3_000]] {
                entry.set_record(record);
                assert_eq!((entry.key(), entry.record()), (key.as_slice(), record));
            }
        }
    }
}
