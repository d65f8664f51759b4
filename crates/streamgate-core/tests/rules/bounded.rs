//! What a start is told near the highest limit is bounded, and says how much there is.

use crate::support::{User, at};
use streamgate_core::admission::{Place, SessionsQuery, StartOutcome, sessions_of};
use streamgate_core::bounds::{LIMIT_MAX, SESSIONS_LISTED_MAX};
use streamgate_core::{AtLimit, SessionId};

/// A user with as many sessions as any limit allows, ten of them started at the same time each.
fn crowded() -> User {
    let mut user = User::with_limit(LIMIT_MAX);
    for number in 0..LIMIT_MAX {
        // Later ones come earlier in the order of their ids.
        user.admitted(&format!("s{:03}", LIMIT_MAX - 1 - number));
        if number % 10 == 9 {
            user.pass(1);
        }
    }
    user
}

#[test]
fn a_refusal_lists_the_oldest_hundred_and_counts_all() {
    let mut user = crowded();
    let StartOutcome::Refused(refused) = user.start("one-more") else {
        panic!("every slot is taken");
    };
    assert_eq!((refused.limit, refused.active), (LIMIT_MAX, LIMIT_MAX));
    let oldest = &user.ledger.live[..SESSIONS_LISTED_MAX];
    assert_eq!(refused.conflict, oldest);
    let first_end = user.ledger.live.iter().map(|s| s.expires_at).min();
    assert_eq!(refused.next_slot_at, first_end);
}

#[test]
fn a_start_that_evicts_more_lists_the_oldest_hundred_of_them() {
    let mut user = crowded();
    user.policy.at_limit = AtLimit::EvictOldest;
    user.policy.default_limit = 1;
    let oldest = user.ledger.live[..SESSIONS_LISTED_MAX].to_vec();
    let StartOutcome::Admitted(admitted) = user.start("only-one") else {
        panic!("all others make room");
    };
    assert_eq!((admitted.active, admitted.evicted), (1, oldest));
    assert_eq!(user.live(), ["only-one"]);
}

#[test]
fn pages_list_each_session_once_although_sessions_come_and_go_in_between() {
    let mut user = crowded();
    let mut page = SessionsQuery {
        after: None,
        size: 7,
    };
    let mut listed: Vec<SessionId> = Vec::new();
    loop {
        let view = sessions_of(&user.ledger, &user.policy, user.now(), &page);
        listed.extend(view.sessions.iter().map(|session| session.id.clone()));
        // The last of the page ends, and another comes: the next page begins where this one ended.
        if let Some(last) = view.sessions.last() {
            user.stop(&last.id.to_string());
            user.admitted(&format!("new-{}", listed.len()));
        }
        page.after = view.next;
        if page.after.is_none() {
            break;
        }
    }
    let is_old = |id: &&SessionId| id.to_string().starts_with('s');
    let old: Vec<_> = listed.iter().filter(is_old).collect();
    assert_eq!(old.len(), LIMIT_MAX as usize);
    let mut distinct = listed.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), listed.len());
}

#[test]
fn a_page_behind_the_last_session_is_empty() {
    let mut user = User::with_limit(2);
    let a = user.admitted("a");
    let page = SessionsQuery {
        after: Some(Place {
            started_at: a.started_at,
            id: None,
        }),
        size: 10,
    };
    let view = sessions_of(&user.ledger, &user.policy, at(user.now_ms), &page);
    assert_eq!((view.sessions, view.next, view.active), (vec![], None, 1));
}
