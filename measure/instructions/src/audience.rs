//! Users with live sessions, always the same: the state that every path runs on.

use std::sync::Arc;

use streamgate_clock::ManualClock;
use streamgate_core::admission::Start;
use streamgate_core::codec::encode_ledger;
use streamgate_core::{
    Durability, Ledger, Policy, SessionId, TenantId, Timestamp, UserId, UserKey, decide,
};
use streamgate_store::{Change, Store};

use crate::Result;

/// Users that call in turn: enough that no path profits from calling the same one again.
pub(crate) const USERS: u64 = 64;

/// Live sessions of a user, unless said otherwise.
pub(crate) const SESSIONS: u64 = 2;

/// The time: a usual one, since times are stored in full.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A clock that stands, so that no lease ends and no answer changes its length.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

/// The id of a user: a UUID, as most are.
pub(crate) fn user_text(user: u64) -> String {
    format!("0f8fad5b-d9cb-469f-a165-{user:012x}")
}

/// The id of a session of a user.
pub(crate) fn session_text(user: u64, session: u64) -> String {
    format!("0193503c-5d3e-7c4a-9a3b-{:012x}", user * 16 + session)
}

/// A user.
pub(crate) fn user(user: u64) -> Result<UserKey> {
    let id = UserId::new(user_text(user))?;
    Ok(UserKey::new(&TenantId::default_tenant(), &id))
}

/// A session of a user.
pub(crate) fn session(user: u64, session: u64) -> Result<SessionId> {
    Ok(SessionId::new(&session_text(user, session))?)
}

/// The ledger of a user with this number of live sessions.
pub(crate) fn ledger(user: u64, sessions: u64) -> Result<Ledger> {
    let policy = Policy::default();
    (0..sessions).try_fold(Ledger::default(), |ledger, number| {
        let start = Start::new(session(user, number)?);
        Ok(decide(ledger, &policy, &start, NOW).ledger)
    })
}

/// The record of such a ledger.
pub(crate) fn record(user: u64, sessions: u64) -> Result<Vec<u8>> {
    let record = encode_ledger(&ledger(user, sessions)?);
    Ok(record.ok_or("a ledger with sessions has a record")?)
}

/// Puts users with live sessions into a store, and waits for no disk.
pub(crate) async fn seat(store: &dyn Store, users: u64, sessions: u64) -> Result<()> {
    for number in 0..users {
        let record = record(number, sessions)?;
        let mut step = |_: streamgate_store::View<'_>| {
            Some(Change {
                record: Some(record.clone()),
                delta: Vec::new(),
                durability: Durability::Memory,
                garbage_at: None,
                needs_room: true,
            })
        };
        store.transact(&user(number)?, &mut step).await?;
    }
    Ok(())
}

/// What each user calls.
pub(crate) fn each_user<T>(calls: impl Fn(u64) -> Result<T>) -> Result<Vec<T>> {
    (0..USERS).map(calls).collect()
}
