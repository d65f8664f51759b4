//! Names of tenants, users and sessions: checked once, at the boundary, and carried as types.

use std::fmt;

use uuid::Uuid;

use crate::bounds::{NAME_MAX_BYTES, SESSION_ID_MAX_BYTES, TENANT_ID_MAX_BYTES, USER_ID_MAX_BYTES};

/// Why a text is no valid id or name. Shown to callers beside the name of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than its bound.
    #[error("must be at most {max} bytes long, is {len}")]
    TooLong {
        /// The bound, in bytes.
        max: usize,
        /// The length, in bytes.
        len: usize,
    },
    /// The text has a control character (U+0000 to U+001F, U+007F to U+009F).
    #[error("must not contain control characters")]
    Control,
}

/// Checks a text of 1 to `max` bytes without control characters.
pub(crate) fn check_text(text: &str, max: usize) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    check_optional_text(text, max)
}

/// Checks a text of 0 to `max` bytes without control characters.
pub(crate) fn check_optional_text(text: &str, max: usize) -> Result<(), TextError> {
    if text.len() > max {
        return Err(TextError::TooLong {
            max,
            len: text.len(),
        });
    }
    // Printable ASCII, nearly always, needs no decoding into characters. Not `all`, which stops at
    // the first that is none: without a stop, sixteen bytes are looked at together.
    let is_printable = |byte| matches!(byte, 0x20..0x7f);
    let clean = text
        .bytes()
        .fold(true, |all, byte| all & is_printable(byte))
        || !text.chars().any(char::is_control);
    if clean {
        Ok(())
    } else {
        Err(TextError::Control)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes a text of 1 byte to the bound, without control characters.
            ///
            /// # Errors
            /// [`TextError`] says what is wrong with it.
            pub fn new(text: impl Into<Box<str>>) -> Result<Self, TextError> {
                let text = text.into();
                check_text(&text, $max)?;
                Ok(Self(text))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// An organisation with users and keys of its own.
    TenantId,
    TENANT_ID_MAX_BYTES
);
text_id!(
    /// The paying unit that the limit applies to. Any text: no meaning is read into it.
    UserId,
    USER_ID_MAX_BYTES
);
text_id!(
    /// An optional name of a device, a content or a plan.
    Name,
    NAME_MAX_BYTES
);

impl TenantId {
    /// The tenant that exists until configuration names more.
    ///
    /// # Panics
    /// Never: the text is valid.
    #[must_use]
    pub fn default_tenant() -> Self {
        Self("default".into())
    }
}

/// The name of one playback, unique within its user.
///
/// An id that is the usual text of a UUID (lower case, with hyphens) is kept as 16 bytes; any other
/// text is kept as it is. Two ids are equal exactly when their texts are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Repr);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Repr {
    Uuid([u8; 16]),
    Text(Box<str>),
}

impl SessionId {
    /// Takes a text of 1 to 128 bytes without control characters.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, TextError> {
        if let Some(uuid) = canonical_uuid(text) {
            return Ok(Self(Repr::Uuid(uuid)));
        }
        check_text(text, SESSION_ID_MAX_BYTES)?;
        Ok(Self(Repr::Text(text.into())))
    }

    /// The id whose text is the usual text of the UUID with these bytes.
    #[must_use]
    pub const fn from_uuid_bytes(bytes: [u8; 16]) -> Self {
        Self(Repr::Uuid(bytes))
    }

    /// The bytes of the UUID, where the id is one.
    #[must_use]
    pub fn as_uuid_bytes(&self) -> Option<&[u8; 16]> {
        match &self.0 {
            Repr::Uuid(bytes) => Some(bytes),
            Repr::Text(_) => None,
        }
    }

    /// Calls `f` with the id as text, without an allocation.
    pub fn with_str<T>(&self, f: impl FnOnce(&str) -> T) -> T {
        match &self.0 {
            Repr::Uuid(bytes) => f(Uuid::from_bytes(*bytes)
                .hyphenated()
                .encode_lower(&mut Uuid::encode_buffer())),
            Repr::Text(text) => f(text),
        }
    }
}

/// The bytes of `text` if it is exactly how a UUID is usually written.
fn canonical_uuid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    // `try_parse` takes other spellings too, but none that has the length and the hyphens of this.
    let has_hyphens = || [8, 13, 18, 23].into_iter().all(|at| bytes[at] == b'-');
    if bytes.len() != 36 || !has_hyphens() || bytes.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    Uuid::try_parse(text).ok().map(Uuid::into_bytes)
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_str(|text| f.write_str(text))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_str(|text| write!(f, "SessionId({text:?})"))
    }
}

/// The key under which a ledger is stored: a tenant, then a user.
///
/// Its bytes are `tenant 0x00 user`. No id holds a control character, so the first zero byte ends
/// the tenant and two different keys never have the same bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserKey {
    bytes: Box<[u8]>,
    tenant_len: u8,
}

impl UserKey {
    /// The key of `user` of `tenant`.
    #[must_use]
    pub fn new(tenant: &TenantId, user: &UserId) -> Self {
        Self::of(tenant, user.as_str())
    }

    /// The key of the user of `tenant` whose id is this text.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with the id.
    pub fn of_text(tenant: &TenantId, user: &str) -> Result<Self, TextError> {
        check_text(user, USER_ID_MAX_BYTES)?;
        Ok(Self::of(tenant, user))
    }

    fn of(tenant: &TenantId, user: &str) -> Self {
        let tenant = tenant.as_str();
        let mut bytes = Vec::with_capacity(tenant.len() + 1 + user.len());
        bytes.extend_from_slice(tenant.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(user.as_bytes());
        let tenant_len = u8::try_from(tenant.len()).expect("a tenant id is at most 64 bytes");
        Self {
            bytes: bytes.into(),
            tenant_len,
        }
    }

    /// Reads a key back from its bytes; `None` where they are not those of a key.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let zero = bytes.iter().position(|byte| *byte == 0)?;
        let tenant = std::str::from_utf8(&bytes[..zero]).ok()?;
        let user = std::str::from_utf8(&bytes[zero + 1..]).ok()?;
        check_text(tenant, TENANT_ID_MAX_BYTES).ok()?;
        check_text(user, USER_ID_MAX_BYTES).ok()?;
        let tenant_len = u8::try_from(zero).expect("a tenant id is at most 64 bytes");
        Some(Self {
            bytes: bytes.into(),
            tenant_len,
        })
    }

    /// The bytes of the key, as stores keep them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The tenant's id as text.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.text(0, usize::from(self.tenant_len))
    }

    /// The user's id as text.
    #[must_use]
    pub fn user(&self) -> &str {
        self.text(usize::from(self.tenant_len) + 1, self.bytes.len())
    }

    fn text(&self, from: usize, to: usize) -> &str {
        std::str::from_utf8(&self.bytes[from..to]).expect("a key is made of two valid texts")
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserKey({:?}, {:?})", self.tenant(), self.user())
    }
}
