//! The last refusals of each user, for support: who held the slots, and what was asked for.
//!
//! Bounded by users, by refusals of a user and by bytes. Where a bound is met, the users go first
//! whose last refusal is the oldest. So a user that is refused often stays, and its count of the
//! last hour with it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use streamgate_core::admission::{Refused, Start};
use streamgate_core::bounds::{
    REFUSALS_LISTED_MAX, REFUSALS_MAX_BYTES, REFUSALS_PER_USER_MAX, REFUSED_USERS_MAX,
    STATS_WINDOW_MAX_S,
};
use streamgate_core::{Attributes, Session, SessionId, SessionMetadata, UserKey};
use utoipa::ToSchema;

use crate::wire::schema::UserIdSchema;
use crate::wire::time::Time;

/// Minutes of a count: an hour, and the minute that has begun.
const MINUTES: usize = STATS_WINDOW_MAX_S as usize / 60 + 1;

/// A refusal that is remembered.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The user.
    pub(crate) user: UserKey,
    /// When, on the wall clock, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// Why; with a few of the sessions.
    pub(crate) refused: Refused,
    /// The session that was to start.
    pub(crate) id: SessionId,
    /// What was to play, without attributes.
    pub(crate) asked: Option<SessionMetadata>,
}

/// A user that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TopRefused)]
pub(crate) struct RefusedUser {
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: String,
    /// How often.
    #[schema(example = 7)]
    refusals: u32,
    /// The last time.
    last_at: Time,
}

/// The last refusals of users.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    users: HashMap<UserKey, OfUser>,
    /// The users by the number of their last refusal.
    by_last: BTreeMap<u64, UserKey>,
    last_number: u64,
    bytes: usize,
}

#[derive(Debug, Default)]
struct OfUser {
    last_number: u64,
    /// Oldest first, with their numbers.
    refusals: VecDeque<(u64, Arc<Refusal>)>,
    counts: Counts,
}

/// Refusals in each of the last minutes.
#[derive(Debug)]
struct Counts {
    minutes: [u32; MINUTES],
    /// The minute that was counted last.
    last: u64,
}

impl Refusal {
    /// The refusal of this start; `refused` has a few of the sessions only.
    pub(super) fn new(user: &UserKey, start: &Start, refused: Refused, at_ms: u64) -> Self {
        let asked = start.metadata.as_deref().map(|metadata| SessionMetadata {
            attributes: Attributes::default(),
            ..metadata.clone()
        });
        Self {
            user: user.clone(),
            at_ms,
            refused,
            id: start.id.clone(),
            asked,
        }
    }

    /// The memory that it takes, about.
    fn bytes(&self) -> usize {
        let sessions = self.refused.conflict.iter().map(bytes_of);
        let asked = self.asked.as_ref().map_or(0, bytes_of_metadata);
        size_of::<Self>() + sessions.sum::<usize>() + asked + bytes_of_id(&self.id)
    }
}

fn bytes_of(session: &Session) -> usize {
    let metadata = session.metadata.as_deref().map_or(0, |metadata| {
        size_of::<SessionMetadata>() + bytes_of_metadata(metadata)
    });
    size_of::<Session>() + bytes_of_id(&session.id) + metadata
}

fn bytes_of_id(id: &SessionId) -> usize {
    id.with_str(str::len)
}

fn bytes_of_metadata(metadata: &SessionMetadata) -> usize {
    /// What an entry of a map takes beside its text.
    const ENTRY_BYTES: usize = 48;
    let names = metadata.names().map(|name| name.as_str().len());
    let entries =
        (metadata.attributes.iter()).map(|(key, value)| ENTRY_BYTES + key.len() + value.len());
    names.sum::<usize>() + entries.sum::<usize>()
}

/// What a user takes beside its refusals.
fn bytes_of_user(user: &UserKey) -> usize {
    // The key stands in both maps.
    2 * (size_of::<UserKey>() + user.as_bytes().len()) + size_of::<OfUser>()
}

impl Refusals {
    /// Remembers a refusal. `minute` is one of the same clock as the seconds.
    pub(super) fn add(&self, refusal: Refusal, minute: u64) {
        let mut state = self.0.lock();
        let state = &mut *state;
        state.last_number += 1;
        let number = state.last_number;
        let user = refusal.user.clone();
        let known = state.users.entry(user.clone()).or_insert_with(|| {
            state.bytes += bytes_of_user(&user);
            OfUser::default()
        });
        state.by_last.remove(&known.last_number);
        state.by_last.insert(number, user);
        known.last_number = number;
        known.counts.add(minute);
        if known.refusals.len() >= REFUSALS_PER_USER_MAX
            && let Some((_, oldest)) = known.refusals.pop_front()
        {
            state.bytes -= oldest.bytes();
        }
        state.bytes += refusal.bytes();
        known.refusals.push_back((number, Arc::new(refusal)));
        state.forget();
    }

    /// The refusals of a user, newest first.
    pub(super) fn of_user(&self, user: &UserKey) -> Vec<Arc<Refusal>> {
        let state = self.0.lock();
        let refusals = state.users.get(user).map(|known| known.refusals.iter());
        let newest_first = refusals.into_iter().flatten().rev();
        newest_first
            .map(|(_, refusal)| Arc::clone(refusal))
            .collect()
    }

    /// The last refusals of a tenant, newest first; at most `count` and [`REFUSALS_LISTED_MAX`].
    pub(super) fn latest(&self, tenant: &str, count: usize) -> Vec<Arc<Refusal>> {
        let count = count.min(REFUSALS_LISTED_MAX);
        let state = self.0.lock();
        // They are of as many users at most: those that were refused last.
        let users = state.by_last.values().rev();
        let users = users.filter(|user| user.tenant() == tenant).take(count);
        let known = users.filter_map(|user| state.users.get(user));
        let mut found: Vec<_> = known
            .flat_map(|known| known.refusals.iter().rev().take(count))
            .cloned()
            .collect();
        drop(state);
        found.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        found.truncate(count);
        found.into_iter().map(|(_, refusal)| refusal).collect()
    }

    /// The users of a tenant that were refused most often in the last `minutes` minutes and the one
    /// that has begun, most often first.
    pub(super) fn top(
        &self,
        tenant: &str,
        minute: u64,
        minutes: u64,
        count: usize,
    ) -> Vec<RefusedUser> {
        let state = self.0.lock();
        let begin = minute.saturating_sub(minutes);
        let mut found = Vec::new();
        for user in state.by_last.values().rev() {
            let Some(known) = state.users.get(user) else {
                continue;
            };
            if known.counts.last < begin {
                break; // So were all further ones.
            }
            if user.tenant() == tenant
                && let Some((_, last)) = known.refusals.back()
            {
                found.push((known.counts.since(begin), known.last_number, last));
            }
        }
        found.sort_unstable_by_key(|(refusals, number, _)| std::cmp::Reverse((*refusals, *number)));
        let top = found.into_iter().take(count);
        top.map(|(refusals, _, last)| RefusedUser {
            user_id: last.user.user().to_owned(),
            refusals,
            last_at: Time::of_wall(last.at_ms),
        })
        .collect()
    }
}

impl State {
    /// Forgets users until all bounds are kept.
    fn forget(&mut self) {
        while self.users.len() > REFUSED_USERS_MAX || self.bytes > REFUSALS_MAX_BYTES {
            let Some((_, user)) = self.by_last.pop_first() else {
                return;
            };
            if let Some(known) = self.users.remove(&user) {
                let refusals = known.refusals.iter().map(|(_, refusal)| refusal.bytes());
                self.bytes -= refusals.sum::<usize>() + bytes_of_user(&user);
            }
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            minutes: [0; MINUTES],
            last: 0,
        }
    }
}

impl Counts {
    fn add(&mut self, minute: u64) {
        for passed in (self.last + 1..=minute).rev().take(MINUTES) {
            self.minutes[place(passed)] = 0;
        }
        self.last = self.last.max(minute);
        let count = &mut self.minutes[place(self.last)];
        *count = count.saturating_add(1);
    }

    /// The sum of the minutes from `begin` on.
    fn since(&self, begin: u64) -> u32 {
        let begin = begin.max(self.last.saturating_sub(MINUTES as u64 - 1));
        let counts = (begin..=self.last).map(|minute| self.minutes[place(minute)]);
        counts.fold(0, u32::saturating_add)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "less than the length")]
const fn place(minute: u64) -> usize {
    (minute % MINUTES as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap as Map;

    use streamgate_core::ids::Name;
    use streamgate_core::{Seconds, TenantId, Timestamp, UserId};

    use super::*;

    fn user(tenant: &str, id: &str) -> UserKey {
        UserKey::new(&TenantId::new(tenant).unwrap(), &UserId::new(id).unwrap())
    }

    fn refused(conflict: Vec<Session>) -> Refused {
        Refused {
            rule: "limit".into(),
            limit: 3,
            active: 3,
            conflict,
            next_slot_at: None,
        }
    }

    fn refusal(user: &UserKey, at_ms: u64) -> Refusal {
        let start = Start::new(SessionId::new("new").unwrap());
        Refusal::new(user, &start, refused(Vec::new()), at_ms)
    }

    /// As large as the bounds of the API let it be.
    fn largest(user: &UserKey, at_ms: u64) -> Refusal {
        let name = || Some(Name::new("n".repeat(256)).unwrap());
        let entry = |n: usize| (format!("{n:064}").into(), "v".repeat(256).into());
        let metadata = SessionMetadata {
            device_id: name(),
            device_name: name(),
            device_class: name(),
            content_id: name(),
            content_type: name(),
            region: name(),
            attributes: Attributes::new((0..16).map(entry).collect::<Map<_, _>>()).unwrap(),
        };
        let session = |n: usize| Session {
            id: SessionId::new(&format!("{n:0128}")).unwrap(),
            started_at: Timestamp::from_millis(1),
            last_seen_at: Timestamp::from_millis(1),
            expires_at: Timestamp::from_millis(1),
            lease: Seconds(90),
            metadata: Some(metadata.clone().into()),
        };
        let mut start = Start::new(SessionId::new("new").unwrap());
        start.metadata = Some(metadata.clone().into());
        Refusal::new(user, &start, refused((0..10).map(session).collect()), at_ms)
    }

    fn times(refusals: &[Arc<Refusal>]) -> Vec<u64> {
        refusals.iter().map(|refusal| refusal.at_ms).collect()
    }

    #[test]
    fn the_last_refusals_of_a_user_are_kept_newest_first() {
        let refusals = Refusals::default();
        let (anna, other) = (user("default", "anna"), user("other", "anna"));
        assert!(refusals.of_user(&anna).is_empty());
        for at_ms in 0..50 {
            refusals.add(refusal(&anna, at_ms), 0);
        }
        refusals.add(refusal(&other, 99), 0);
        let kept: Vec<u64> = (30..50).rev().collect();
        assert_eq!(times(&refusals.of_user(&anna)), kept);
        assert_eq!(times(&refusals.of_user(&other)), [99]);
    }

    #[test]
    fn the_latest_refusals_of_a_tenant_are_in_their_order_over_all_users() {
        let refusals = Refusals::default();
        for at_ms in 0..300 {
            let tenant = if at_ms % 3 == 0 { "a" } else { "b" };
            let id = format!("user {}", at_ms % 7);
            refusals.add(refusal(&user(tenant, &id), at_ms), 0);
        }
        let expected: Vec<u64> = (0..300).rev().filter(|at| at % 3 == 0).take(10).collect();
        assert_eq!(times(&refusals.latest("a", 10)), expected);
        assert_eq!(refusals.latest("b", 1_000).len(), REFUSALS_LISTED_MAX);
        assert!(refusals.latest("c", 100).is_empty());
    }

    #[test]
    fn users_that_are_refused_most_often_come_first_within_the_window() {
        let refusals = Refusals::default();
        for (id, minute, count) in [("early", 10, 9), ("late", 68, 2), ("often", 69, 5)] {
            for at_ms in 0..count {
                refusals.add(refusal(&user("a", id), at_ms), minute);
            }
        }
        refusals.add(refusal(&user("a", "early"), 7), 69);
        refusals.add(refusal(&user("b", "foreign"), 7), 69);
        let top = |minutes, count| {
            let top = refusals.top("a", 70, minutes, count);
            let pair = |it: RefusedUser| (it.user_id, it.refusals);
            top.into_iter().map(pair).collect::<Vec<_>>()
        };
        let is = |pairs: &[(&str, u32)]| -> Vec<(String, u32)> {
            pairs.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect()
        };
        assert_eq!(top(60, 10), is(&[("early", 10), ("often", 5), ("late", 2)]));
        assert_eq!(top(5, 10), is(&[("often", 5), ("late", 2), ("early", 1)]));
        assert_eq!(top(1, 1), is(&[("often", 5)]));
        assert_eq!(refusals.top("a", 500, 60, 10), []);
    }

    #[test]
    fn a_million_users_take_no_more_memory_than_the_bounds_say() {
        let refusals = Refusals::default();
        let often = user("a", "often");
        for number in 0..1_000_000 {
            refusals.add(refusal(&user("a", &number.to_string()), number), 0);
            if number % 1_000 == 0 {
                refusals.add(refusal(&often, number), 0);
            }
        }
        let state = refusals.0.lock();
        assert_eq!(state.users.len(), REFUSED_USERS_MAX);
        assert_eq!(state.by_last.len(), REFUSED_USERS_MAX);
        assert!(state.bytes <= REFUSALS_MAX_BYTES, "{}", state.bytes);
        drop(state);
        let top = refusals.top("a", 0, 60, 2);
        assert_eq!((&*top[0].user_id, top[0].refusals), (often.user(), 1_000));
        assert_eq!(top[1].refusals, 1);
    }

    #[test]
    fn refusals_of_the_largest_sessions_stay_within_their_bytes() {
        let refusals = Refusals::default();
        for number in 0..1_000 {
            refusals.add(largest(&user("a", &(number % 50).to_string()), number), 0);
        }
        let state = refusals.0.lock();
        assert!(state.bytes <= REFUSALS_MAX_BYTES, "{}", state.bytes);
        let of = |(user, known): (&UserKey, &OfUser)| {
            let refusals = known.refusals.iter().map(|(_, refusal)| refusal.bytes());
            refusals.sum::<usize>() + bytes_of_user(user)
        };
        assert_eq!(state.bytes, state.users.iter().map(of).sum::<usize>());
        assert!(!state.users.is_empty());
    }
}
