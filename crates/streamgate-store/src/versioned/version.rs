//! Versions of records.

/// Identifies one write of a record. Random rather than counted: a record that is removed and
/// written anew must not have a version that any node has seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version([u8; Version::BYTES]);

impl Version {
    /// The length of a version, in bytes.
    pub const BYTES: usize = 8;

    /// The version if there is no record.
    pub const NONE: Self = Self([0; Self::BYTES]);

    /// A version that no record has had.
    ///
    /// # Panics
    /// If the operating system supplies no random bytes.
    #[must_use]
    pub fn fresh() -> Self {
        let mut bytes = [0; Self::BYTES];
        getrandom::fill(&mut bytes).expect("the operating system has random bytes");
        // Never equal to `NONE`.
        bytes[0] |= 1;
        Self(bytes)
    }

    /// The bytes, for the server.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Reads a version back; `None` if [`Version::fresh`] cannot have made these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let version = Self(bytes.try_into().ok()?);
        (version.0[0] & 1 == 1).then_some(version)
    }

    /// A part of it as a number below `end`, for jitter.
    pub(super) fn below(&self, end: u64) -> u64 {
        u64::from_le_bytes(self.0) % end
    }
}
