//! Batches of users within the bounds that the server sets to a body: in bytes and in users.

use serde_json::{Value, json};
use streamgate_core::bounds::{BATCH_BODY_MAX_BYTES, BATCH_ENTRIES_MAX};

use super::User;

/// The bytes around the users of a body: `{"users":[]}`.
const AROUND_BYTES: usize = 12;

/// Users that are sent in one call.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) users: Vec<User>,
    bytes: usize,
}

impl Batch {
    /// The body of the call.
    pub(super) fn body(&self) -> Value {
        let entries: Vec<Value> = self.users.iter().map(User::entry).collect();
        json!({ "users": entries })
    }

    /// The users at these places, which are in order.
    pub(super) fn only(self, places: &[usize]) -> Self {
        let users = self.users.into_iter().enumerate();
        let users = users.filter(|(place, _)| places.binary_search(place).is_ok());
        Self {
            users: users.map(|(_, user)| user).collect(),
            bytes: self.bytes,
        }
    }

    /// Adds a user. Returns the batch if it was full without it.
    pub(super) fn add(&mut self, user: User) -> Option<Self> {
        // One more for the comma.
        let bytes = user.entry().to_string().len() + 1;
        let is_full = self.users.len() == BATCH_ENTRIES_MAX
            || AROUND_BYTES + self.bytes + bytes > BATCH_BODY_MAX_BYTES;
        let full = (is_full && !self.users.is_empty()).then(|| std::mem::take(self));
        self.users.push(user);
        self.bytes += bytes;
        full
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::import::Place;

    fn user(id: usize, sessions: &[String]) -> User {
        User {
            at: Place::Key(id.to_string()),
            user_id: format!("{id:\">256}"),
            sessions: sessions.to_vec(),
            profile: BTreeMap::from([("Name".to_owned(), "\\".repeat(256))]),
        }
    }

    #[test]
    fn no_batch_is_larger_than_the_server_takes() {
        // Quotes take two bytes each in JSON, so these users are as large as users can be.
        let sessions: Vec<String> = (0..1_000).map(|id| format!("{id:\">128}")).collect();
        let mut batch = Batch::default();
        let (mut users, mut batches) = (0, 0);
        for id in 0..2_500 {
            let few = if id % 50 == 0 {
                &sessions[..]
            } else {
                &sessions[..1]
            };
            if let Some(full) = batch.add(user(id, few)) {
                assert!(full.body().to_string().len() <= BATCH_BODY_MAX_BYTES);
                assert!(full.users.len() <= BATCH_ENTRIES_MAX);
                users += full.users.len();
                batches += 1;
            }
        }
        assert_eq!(users + batch.users.len(), 2_500);
        assert!(batches > 2);
    }

    #[test]
    fn some_of_a_batch_keep_their_order() {
        let mut batch = Batch::default();
        for id in 0..5 {
            assert!(batch.add(user(id, &[])).is_none());
        }
        let places = batch.only(&[1, 4]).users;
        let places: Vec<&Place> = places.iter().map(|user| &user.at).collect();
        assert_eq!(
            places,
            [&Place::Key("1".to_owned()), &Place::Key("4".to_owned())]
        );
    }
}
