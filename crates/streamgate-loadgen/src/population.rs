//! Users and sessions of a run, computed from their numbers, so that sixty million need no memory.

use std::hash::Hash as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};
use uuid::Builder;

/// Letters of a number in a name.
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Digits of a run's mark in its users' names.
const MARK_DIGITS: u32 = 2;

/// Digits of a user's number; more, for numbers that need more.
const USER_DIGITS: usize = 5;

/// Longest prefix of users' names.
pub const PREFIX_MAX_BYTES: usize = 64;

/// The users and sessions of one run.
///
/// With the usual prefix, users have 13 characters, and sessions are UUIDs of version 7.
#[derive(Debug, Clone)]
pub struct Population {
    /// The prefix and the mark.
    users: Vec<u8>,
    seed: u64,
    now_ms: u64,
}

/// A session of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Session {
    /// The number of its user.
    pub user: u64,
    /// Its own number, unique in the run.
    pub number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a prefix has 1 to {PREFIX_MAX_BYTES} letters, digits, dots, hyphens and underscores, and does \
     not begin with a dot"
)]
/// The prefix cannot stand at the beginning of a user's id.
pub struct BadPrefix;

impl Population {
    /// The population of a run that begins at `now_ms`. What `seed` is, random for each run, makes
    /// its sessions others than those of the runs before it, and its users too, mostly.
    ///
    /// # Errors
    ///
    /// Fails if the prefix would have to be encoded in a path, or is no beginning of a user's id.
    pub fn new(prefix: &str, seed: u64, now_ms: u64) -> Result<Self, BadPrefix> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_long = prefix.len() > PREFIX_MAX_BYTES;
        if prefix.is_empty() || is_long || prefix.starts_with('.') || !prefix.bytes().all(is_plain)
        {
            return Err(BadPrefix);
        }
        let mut users = prefix.as_bytes().to_vec();
        let marks = (DIGITS.len() as u64).pow(MARK_DIGITS);
        write_number(seed % marks, MARK_DIGITS as usize, &mut users);
        Ok(Self {
            users,
            seed,
            now_ms,
        })
    }

    /// Appends a user's id.
    pub fn write_user(&self, user: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.users);
        write_number(user, USER_DIGITS, out);
    }

    /// Appends a session's id.
    pub fn write_session(&self, session: Session, out: &mut Vec<u8>) {
        let mut hasher = SipHasher13::new_with_keys(self.seed, self.now_ms);
        session.hash(&mut hasher);
        let hash = hasher.finish128().as_bytes();
        let random = hash.first_chunk().expect("a hash is longer");
        let id = Builder::from_unix_timestamp_millis(self.now_ms, random).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        out.extend_from_slice(id.as_hyphenated().encode_lower(&mut text).as_bytes());
    }
}

/// Appends a number to the base 36, with zeros before it where it is short.
fn write_number(mut number: u64, digits_min: usize, out: &mut Vec<u8>) {
    // Long enough for any number.
    let mut text = [b'0'; 16];
    let mut begin = text.len();
    for place in text.iter_mut().rev() {
        if number == 0 {
            break;
        }
        let digit = usize::try_from(number % 36).expect("it is below 36");
        *place = *DIGITS.get(digit).expect("it is below 36");
        number /= 36;
        begin -= 1;
    }
    let begin = begin.min(text.len() - digits_min);
    out.extend_from_slice(text.get(begin..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn users_have_thirteen_characters_and_are_all_different() {
        let population = Population::new("bench-", 36 * 36 + 35, 0).unwrap();
        let user = |number| text(|out| population.write_user(number, out));
        assert_eq!(user(0), "bench-0z00000");
        assert_eq!(user(36 + 10), "bench-0z0001a");
        let longer = 36_u64.pow(5);
        assert_eq!(user(longer - 1), "bench-0zzzzzz");
        assert_eq!(user(longer), "bench-0z100000");
        assert_eq!(user(u64::MAX).len(), 8 + 13);
        let all: HashSet<String> = (0..10_000).map(user).collect();
        assert_eq!(all.len(), 10_000);
    }

    #[test]
    fn sessions_are_uuids_of_version_7_and_differ_from_run_to_run() {
        let id = |seed, user, number| {
            let population = Population::new("b", seed, 1_790_000_000_000).unwrap();
            text(|out| population.write_session(Session { user, number }, out))
        };
        let parsed: uuid::Uuid = id(1, 2, 3).parse().unwrap();
        assert_eq!(parsed.get_version_num(), 7);
        assert_eq!(id(1, 2, 3).len(), 36);
        assert_eq!(id(1, 2, 3), id(1, 2, 3));
        let ids: HashSet<String> = [id(1, 2, 3), id(2, 2, 3), id(1, 3, 3), id(1, 2, 4)].into();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn prefixes_that_make_no_good_ids_are_refused() {
        for wrong in ["", ".a", "a/b", "ä", "a b", &"a".repeat(65)] {
            assert_eq!(
                Population::new(wrong, 0, 0).unwrap_err(),
                BadPrefix,
                "{wrong}"
            );
        }
        Population::new("load_Test-1.", 0, 0).unwrap();
    }
}
