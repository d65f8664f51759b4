//! Names of keys, and the cluster slots they hash to.

use streamgate_core::{TenantId, UserKey};

/// The number of slots of every cluster.
pub(crate) const SLOTS: u16 = 16_384;

/// The names of the records of one store: `prefix:{tenant NUL user}`. The braces are the hash tag.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: Box<str>,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// The name of a user's record.
    pub(crate) fn record(&self, key: &UserKey) -> Vec<u8> {
        let mut name = self.head();
        name.extend_from_slice(key.as_bytes());
        name.push(b'}');
        name
    }

    /// The user whose record has this name; `None` if it is not a record of this store.
    pub(crate) fn user(&self, name: &[u8]) -> Option<UserKey> {
        let rest = name.strip_prefix(self.head().as_slice())?;
        UserKey::from_bytes(rest.strip_suffix(b"}")?)
    }

    /// The `SCAN` pattern of the names of a tenant's records.
    pub(crate) fn pattern(&self, tenant: &TenantId) -> Vec<u8> {
        let mut plain = self.head();
        plain.extend_from_slice(tenant.as_str().as_bytes());
        let mut pattern = Vec::with_capacity(plain.len() + 4);
        for byte in plain {
            if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\') {
                pattern.push(b'\\');
            }
            pattern.push(byte);
        }
        pattern.extend_from_slice(b"\0*}");
        pattern
    }

    /// The name of the `n`th key for trial writes. It has no brace, so it cannot be a record's.
    pub(crate) fn probe(&self, n: u32) -> Vec<u8> {
        format!("{}:ready:{n}", self.prefix).into_bytes()
    }

    /// The name of the format mark, a decimal number. It has no brace, so it cannot be a record's.
    pub(crate) fn format(&self) -> Vec<u8> {
        format!("{}:format", self.prefix).into_bytes()
    }

    /// The channel of a tenant. The channel of a user has the name of its record.
    pub(crate) fn tenant_channel(&self, tenant: &str) -> Vec<u8> {
        format!("{}:tenant:{tenant}", self.prefix).into_bytes()
    }

    /// The tenant whose channel this is.
    pub(crate) fn tenant_of(&self, channel: &[u8]) -> Option<TenantId> {
        let head = format!("{}:tenant:", self.prefix);
        let tenant = channel.strip_prefix(head.as_bytes())?;
        TenantId::new(std::str::from_utf8(tenant).ok()?).ok()
    }

    /// The channel on which nodes tell each other who listens to them.
    pub(crate) fn nodes_channel(&self) -> Vec<u8> {
        format!("{}:nodes", self.prefix).into_bytes()
    }

    fn head(&self) -> Vec<u8> {
        format!("{}:{{", self.prefix).into_bytes()
    }
}

/// The slot of a cluster that a key belongs to.
pub(crate) fn slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) % SLOTS
}

/// The hash tag: the bytes between the first `{` and the next `}`; without it, the whole key.
fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else {
        return key;
    };
    let rest = &key[open + 1..];
    match rest.iter().position(|byte| *byte == b'}') {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// CRC-16/XMODEM, which the cluster specification prescribes.
fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0_u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use streamgate_core::UserId;

    use super::*;

    fn key(tenant: &str, user: &str) -> UserKey {
        let tenant = TenantId::new(tenant).unwrap();
        UserKey::new(&tenant, &UserId::new(user).unwrap())
    }

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot(b"123456789"), 0x31c3 % SLOTS);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(hash_tag(b"foo{}{bar}"), b"foo{}{bar}");
        assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(hash_tag(b"foo{bar}{zap}"), b"bar");
        assert_eq!(hash_tag(b"foo{bar"), b"foo{bar");
    }

    #[test]
    fn a_name_belongs_to_one_user_and_leads_back_to_it() {
        let names = Names::new("sg");
        let keys = [
            key("default", "a"),
            key("default", "a}"),
            key("default", "a{b}"),
            key("default", "*"),
            key("default2", "a"),
        ];
        for one in &keys {
            let name = names.record(one);
            assert_eq!(names.user(&name).as_ref(), Some(one));
            assert_eq!(keys.iter().filter(|k| names.record(k) == name).count(), 1);
        }
        assert_eq!(names.record(&keys[0]), b"sg:{default\0a}");
        for foreign in [
            &b"sg:{default}"[..],
            b"sg:ready:0",
            b"xy:{a\0b}",
            b"sg:{a\0b",
        ] {
            assert_eq!(names.user(foreign), None);
        }
    }

    #[test]
    fn a_pattern_matches_what_it_says_and_nothing_like_it() {
        let names = Names::new("s*[g]?");
        let pattern = names.pattern(&TenantId::default_tenant());
        assert_eq!(pattern, b"s\\*\\[g\\]\\?:{default\0*}");
    }
}
