//! The commands of an import: one for each user, whatever the number of its entries.

use std::collections::{HashMap, HashSet};

use streamgate_core::admission::{ImportUser, ImportedUser, InTurn};
use streamgate_core::bounds::LIVE_MAX;
use streamgate_core::{Seconds, SessionId, TenantId, UserKey};
use streamgate_engine::join_all_yielding;

use super::{ImportAnswer, ImportEntry};
use crate::problem::FieldErrors;
use crate::state::App;
use crate::v1::batch::EntryError;

/// An entry of the call, with its parts checked.
pub(super) struct Entry {
    pub(super) user_id: String,
    /// Each session with its error, if it has one; in order.
    pub(super) sessions: Vec<(String, Option<String>)>,
    /// The error of the profile.
    pub(super) profile_error: Option<String>,
}

/// The commands of a call: one for each user, because a store decides each on its own.
#[derive(Default)]
pub(super) struct Batch {
    users: Vec<UserImport>,
    /// Where each user stands in `users`.
    places: HashMap<UserKey, usize>,
    /// For each entry, why it cannot be taken over at all.
    faults: Vec<Option<String>>,
}

/// What all entries of one user ask for.
struct UserImport {
    user: UserKey,
    command: InTurn<ImportUser>,
    /// The places of the entries in the call.
    entries: Vec<usize>,
    /// How many sessions they have.
    sessions: usize,
}

impl Batch {
    /// Adds an entry with its valid parts to the command of its user.
    pub(super) fn add(&mut self, entry: ImportEntry, tenant: &TenantId, lease: Seconds) -> Entry {
        let mut errors = FieldErrors::default();
        let user = errors.check("user_id", UserKey::of_text(tenant, &entry.user_id));
        let place = user
            .as_ref()
            .and_then(|user| self.places.get(user))
            .copied();
        let others = place.map_or(0, |place| self.users[place].sessions);
        let len = others + entry.sessions.len();
        if len > LIVE_MAX {
            let message = format!("must have at most {LIVE_MAX} entries, has {len}");
            errors.add("sessions", message);
        }
        let mut profile_errors = FieldErrors::default();
        let profile = entry.profile.check("profile", &mut profile_errors);
        let (sessions, valid) = checked(entry.sessions);
        let import = ImportUser {
            sessions: valid,
            lease,
            profile: profile.unwrap_or_default(),
        };
        let made = Entry {
            user_id: entry.user_id,
            sessions,
            profile_error: error_in(&profile_errors),
        };
        let fault = error_in(&errors);
        if let (Some(user), None) = (user, &fault) {
            let place = *self.places.entry(user).or_insert_with_key(|user| {
                self.users.push(UserImport::new(user.clone()));
                self.users.len() - 1
            });
            let of_user = &mut self.users[place];
            of_user.command.0.push(import);
            of_user.entries.push(self.faults.len());
            of_user.sessions = len;
        }
        self.faults.push(fault);
        made
    }

    /// Runs the commands, and counts the users that are taken over. The results are in the order of
    /// the entries.
    pub(super) async fn run(
        self,
        app: &App,
        answer: &mut ImportAnswer<'_>,
    ) -> Vec<Result<ImportedUser, EntryError>> {
        let users = self.users.iter();
        let running = users.map(|of_user| app.engine.run(&of_user.user, &of_user.command));
        let outcomes = join_all_yielding(running).await;
        let faults = self.faults.into_iter();
        let mut results: Vec<_> = faults
            .map(|fault| Err(EntryError::Invalid(fault.unwrap_or_default())))
            .collect();
        for (of_user, outcome) in self.users.iter().zip(outcomes) {
            match outcome {
                Ok(imported) => {
                    answer.users += 1;
                    for (at, imported) in of_user.entries.iter().zip(imported) {
                        results[*at] = Ok(imported);
                    }
                }
                Err(error) => {
                    for at in &of_user.entries {
                        results[*at] = Err(EntryError::Engine(error.clone()));
                    }
                }
            }
        }
        results
    }
}

impl UserImport {
    fn new(user: UserKey) -> Self {
        Self {
            user,
            command: InTurn(Vec::new()),
            entries: Vec::new(),
            sessions: 0,
        }
    }
}

/// The errors as a sentence; `None` if there are none.
fn error_in(errors: &FieldErrors) -> Option<String> {
    Some(errors.sentence()).filter(|sentence| !sentence.is_empty())
}

/// Every session with its error, if it has one; and the ids of the valid ones.
fn checked(sessions: Vec<String>) -> (Vec<(String, Option<String>)>, Vec<SessionId>) {
    let mut valid = Vec::with_capacity(sessions.len());
    let mut seen = HashSet::new();
    let check = |session: String| {
        let fault = match SessionId::new(&session) {
            Ok(id) if !seen.insert(id.clone()) => Some("session_id is given twice".to_owned()),
            Ok(id) => {
                valid.push(id);
                None
            }
            Err(error) => Some(format!("session_id {error}")),
        };
        (session, fault)
    };
    let sessions = sessions.into_iter().map(check).collect();
    (sessions, valid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::text_map::TextMap;

    #[test]
    fn a_store_hears_of_each_user_once() {
        let mut batch = Batch::default();
        for number in 0..1_000 {
            let entry = ImportEntry {
                user_id: ["u", "v", ""][number % 3].to_owned(),
                sessions: vec![format!("s{number}")],
                profile: TextMap::default(),
            };
            batch.add(entry, &TenantId::default_tenant(), Seconds(60));
        }
        let of_users: Vec<usize> = (batch.users.iter())
            .map(|user| user.command.0.len())
            .collect();
        assert_eq!(of_users, [334, 333]);
        assert_eq!(batch.faults.iter().flatten().count(), 333);
    }
}
