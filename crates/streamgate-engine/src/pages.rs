//! All users and all sessions, page by page.
//!
//! A list takes long, and other calls take microseconds. So only a few pages are made concurrently
//! (the rest wait in a fair queue, within the deadline of a call), and each yields to other tasks
//! of its thread about every hundred records ([`YieldBudget`]). The size of a page bounds its
//! memory; a page of the store also ends at a number of bytes ([`streamgate_store::PAGE_BYTES`]).
//!
//! A damaged record is counted and passed over, as by the sweep: one of them would end every list
//! until an operator repairs it. One of a newer version ends the list, because the node that wrote
//! it can answer.

use streamgate_core::admission::Settle;
use streamgate_core::{Ledger, Moment, Policy, Session, SessionId, TenantId, UserKey};
use streamgate_store::{Cursor, Page, StoreError, View};
use tokio::sync::SemaphorePermit;
use tokio::task::yield_now;

use crate::decision::decide_on;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::yield_budget::YieldBudget;

/// How many records are read at most for one page, so that a page over users without sessions ends.
const RECORDS_PER_PAGE_MAX: usize = 10_000;

/// How many bytes of records are read at most for one page of users, the last record aside: users
/// can have a thousand sessions each, and other lists wait for the permit.
const BYTES_PER_PAGE_MAX: usize = 4 << 20;

/// Where the next page begins. Opaque to callers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageCursor {
    store: Option<Cursor>,
    /// The last session of the page, if it ended between two sessions of one user.
    within: Option<(UserKey, SessionId)>,
}

/// Users in an order of the store's own.
#[derive(Debug, Clone)]
pub struct UsersPage<T> {
    /// The users; may be fewer than asked for although more follow.
    pub users: Vec<(UserKey, T)>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<PageCursor>,
}

/// Live sessions in an order of the store's own; those of one user stand together.
#[derive(Debug, Clone)]
pub struct SessionsPage {
    /// The sessions; may be fewer than asked for although more follow.
    pub sessions: Vec<(UserKey, Session)>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<PageCursor>,
}

impl PageCursor {
    /// The cursor as bytes: the length of the key of the user in `within` (two bytes, 0 if there is
    /// none), the key, the length of the session id (one byte) and the id, then the store's cursor.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.within {
            None => out.extend_from_slice(&[0, 0]),
            Some((user, session)) => {
                let key = user.as_bytes();
                let len = u16::try_from(key.len()).expect("keys are bounded");
                out.extend_from_slice(&len.to_le_bytes());
                out.extend_from_slice(key);
                session.with_str(|text| {
                    out.push(u8::try_from(text.len()).expect("session ids are bounded"));
                    out.extend_from_slice(text.as_bytes());
                });
            }
        }
        if let Some(cursor) = &self.store {
            out.push(1);
            out.extend_from_slice(&cursor.0);
        }
        out
    }

    /// Reads [`PageCursor::to_bytes`] back.
    ///
    /// # Errors
    /// [`EngineError::BadCursor`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EngineError> {
        Self::parse(bytes).ok_or(EngineError::BadCursor)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (len, rest) = bytes.split_first_chunk::<2>()?;
        let (key, mut rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        let mut within = None;
        if !key.is_empty() {
            let (len, after) = rest.split_first()?;
            let (id, after) = after.split_at_checked(usize::from(*len))?;
            let id = SessionId::new(std::str::from_utf8(id).ok()?).ok()?;
            within = Some((UserKey::from_bytes(key)?, id));
            rest = after;
        }
        let store = match rest.split_first() {
            None => None,
            Some((1, cursor)) => Some(Cursor(cursor.to_vec())),
            Some(_) => return None,
        };
        Some(Self { store, within })
    }
}

impl Engine {
    /// Known users of a tenant as `view` shows them, such as
    /// [`user_of`](streamgate_core::admission::user_of): `page_size` of them, or fewer.
    ///
    /// # Errors
    /// [`EngineError`]; a record of a newer version ends the list, a damaged one is left out.
    pub async fn users<T>(
        &self,
        tenant: &TenantId,
        from: Option<&PageCursor>,
        page_size: usize,
        view: impl Fn(&Ledger, &Policy, Moment) -> T,
    ) -> Result<UsersPage<T>, EngineError> {
        let _permit = self.page_permit().await?;
        let mut cursor = from.and_then(|from| from.store.clone());
        let mut users = Vec::new();
        let (mut looked_at, mut bytes) = (0, 0);
        let mut budget = YieldBudget::default();
        while users.len() < page_size
            && looked_at < RECORDS_PER_PAGE_MAX
            && bytes < BYTES_PER_PAGE_MAX
        {
            let page = self
                .page(tenant, cursor.as_ref(), page_size - users.len())
                .await?;
            looked_at += page.records.len().max(1);
            for (user, record) in page.records {
                if let Some(ledger) = self.present_ledger(&user, &record, page.now).await?
                    && ledger.is_known()
                {
                    users.push((user, view(&ledger, &self.policy(), page.now)));
                }
                bytes += record.len();
                budget.spend(record.len()).await;
            }
            yield_now().await;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(UsersPage { users, next: None });
            }
        }
        Ok(UsersPage {
            users,
            next: Some(PageCursor {
                store: cursor,
                within: None,
            }),
        })
    }

    /// Live sessions of a tenant: `page_size` of them, or fewer.
    ///
    /// # Errors
    /// [`EngineError`]; a record of a newer version ends the list, a damaged one is left out.
    pub async fn all_sessions(
        &self,
        tenant: &TenantId,
        from: Option<&PageCursor>,
        page_size: usize,
    ) -> Result<SessionsPage, EngineError> {
        let _permit = self.page_permit().await?;
        let PageCursor {
            store: mut cursor,
            mut within,
        } = from.cloned().unwrap_or_default();
        let mut sessions: Vec<(UserKey, Session)> = Vec::new();
        let mut looked_at = 0;
        let mut ask = page_size;
        while sessions.len() < page_size && looked_at < RECORDS_PER_PAGE_MAX {
            let page = self.page(tenant, cursor.as_ref(), ask).await?;
            looked_at += page.records.len().max(1);
            let room = page_size - sessions.len();
            let users = self.live_sessions(&page, within.as_ref(), room).await?;
            let fitting = whole_users_that_fit(&users, room);
            if fitting == users.len() {
                sessions.extend(flatten(users));
                (cursor, within, ask) = (page.next, None, page_size - sessions.len());
                if cursor.is_none() {
                    return Ok(SessionsPage {
                        sessions,
                        next: None,
                    });
                }
            } else if fitting > 0 {
                // A cursor of the store stands at the end of a page, not of a record: ask for a
                // smaller page.
                ask = fitting;
            } else if page.records.len() > 1 {
                ask = 1;
            } else {
                // One user has more sessions than there is room for: the page ends among them.
                sessions.extend(flatten(users).take(room));
                within = sessions
                    .last()
                    .map(|(user, session)| (user.clone(), session.id.clone()));
                break;
            }
        }
        Ok(SessionsPage {
            sessions,
            next: Some(PageCursor {
                store: cursor,
                within,
            }),
        })
    }

    /// The ledger in a record, brought up to the present; `None` if the record is damaged.
    async fn present_ledger(
        &self,
        user: &UserKey,
        record: &[u8],
        now: Moment,
    ) -> Result<Option<Ledger>, EngineError> {
        let decided = decide_on(
            View {
                key: user,
                record: Some(record),
                now,
            },
            &self.policy(),
            &Settle,
        );
        let error = match decided {
            Ok(decision) => return Ok(Some(decision.ledger)),
            Err(error) => self.failed(user, error).await,
        };
        match error {
            EngineError::Damaged(_) => Ok(None),
            error => Err(error),
        }
    }

    /// The live sessions of each user of a page, up to the user that brings their number above
    /// `room`; of the user that the page before ended in, the rest. None of a user whose record is
    /// damaged.
    async fn live_sessions(
        &self,
        page: &Page,
        within: Option<&(UserKey, SessionId)>,
        room: usize,
    ) -> Result<Vec<(UserKey, Vec<Session>)>, EngineError> {
        let (mut users, mut total) = (Vec::with_capacity(page.records.len()), 0);
        let mut budget = YieldBudget::default();
        for (user, record) in &page.records {
            let ledger = self.present_ledger(user, record, page.now).await?;
            let mut live = ledger.map_or_else(Vec::new, |ledger| ledger.live);
            // By id: a session that has ended since still has a place in this order, and none in
            // the order of starts.
            live.sort_by(|a, b| a.id.cmp(&b.id));
            if let Some((_, given)) = within.filter(|(half_given, _)| half_given == user) {
                live.retain(|session| session.id > *given);
            }
            total += live.len();
            users.push((user.clone(), live));
            if total > room {
                break;
            }
            budget.spend(record.len()).await;
        }
        yield_now().await;
        Ok(users)
    }

    /// The permission to make a page, in the order in which it was asked for.
    async fn page_permit(&self) -> Result<SemaphorePermit<'_>, EngineError> {
        let permit = self.within_deadline(self.page_permits.acquire()).await?;
        // A permit that is released makes the next list ready at once. A worker thread polls its
        // sockets only after dozens of ready tasks; a task that yields runs again after that.
        yield_now().await;
        Ok(permit.expect("the semaphore is never closed"))
    }

    async fn page(
        &self,
        tenant: &TenantId,
        from: Option<&Cursor>,
        page_size: usize,
    ) -> Result<Page, EngineError> {
        let page = self
            .within_deadline(self.store.scan(tenant, from, page_size))
            .await?;
        if let Err(StoreError::Damaged(_)) = &page {
            self.observer.damaged(1);
        }
        Ok(page?)
    }
}

/// How many users, from the first, have together no more than `room` sessions.
fn whole_users_that_fit(users: &[(UserKey, Vec<Session>)], room: usize) -> usize {
    let mut total = 0;
    users
        .iter()
        .take_while(|(_, live)| {
            total += live.len();
            total <= room
        })
        .count()
}

fn flatten(users: Vec<(UserKey, Vec<Session>)>) -> impl Iterator<Item = (UserKey, Session)> {
    users
        .into_iter()
        .flat_map(|(user, live)| live.into_iter().map(move |session| (user.clone(), session)))
}
