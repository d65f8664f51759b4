//! Starts that ask for more: that the user is known, or who is watching after it.

use crate::support::{User, id};
use streamgate_core::admission::{EraseUser, IfKnown, Start, StartOutcome, WithSessions};
use streamgate_core::{AtLimit, Ledger};

fn if_known(user: &mut User, text: &str) -> Option<StartOutcome> {
    user.run(&IfKnown(Start::new(id(text)))).outcome
}

/// Starts a session; answers whether it was refused, and who is watching.
fn listed(user: &mut User, text: &str) -> (StartOutcome, Vec<String>) {
    let (outcome, watching) = user.run(&WithSessions(Start::new(id(text)))).outcome;
    (
        outcome,
        watching
            .iter()
            .map(|session| session.id.to_string())
            .collect(),
    )
}

#[test]
fn nobody_is_made_by_a_start_that_asks_for_a_known_user() {
    let mut user = User::with_limit(2);
    let decision = user.run(&IfKnown(Start::new(id("a"))));
    assert_eq!((decision.outcome, decision.events), (None, vec![]));
    assert_eq!(user.ledger, Ledger::default());
}

#[test]
fn a_known_user_starts_as_any_other() {
    let mut user = User::with_limit(1);
    user.ledger.limit = Some(1);
    let mut other = user.clone();
    for session in ["a", "a", "b"] {
        assert_eq!(if_known(&mut user, session), Some(other.start(session)));
    }
    assert_eq!(user.ledger, other.ledger);
}

#[test]
fn a_user_is_known_by_what_it_watched_until_that_is_forgotten() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.pass(user.lease_ms() + user.window_ms() - 1);
    let mut later = user.clone();
    assert!(matches!(
        if_known(&mut user, "b"),
        Some(StartOutcome::Admitted(_))
    ));
    later.pass(1);
    assert_eq!(if_known(&mut later, "b"), None);
}

#[test]
fn a_user_that_was_erased_is_not_known_although_its_players_are_still_told() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.run(&EraseUser);
    assert!(!user.ledger.ended.is_empty());
    assert_eq!(if_known(&mut user, "b"), None);
}

#[test]
fn who_is_watching_is_seen_after_the_start() {
    let mut user = User::with_limit(2);
    user.admitted("a");
    let (outcome, ids) = listed(&mut user, "b");
    assert!(matches!(outcome, StartOutcome::Admitted(_)), "{outcome:?}");
    assert_eq!(ids, ["a", "b"]);
}

#[test]
fn who_is_watching_after_a_refusal_is_the_conflict() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    let (outcome, ids) = listed(&mut user, "b");
    assert!(matches!(outcome, StartOutcome::Refused(_)), "{outcome:?}");
    assert_eq!(ids, ["a"]);
}

#[test]
fn who_was_evicted_or_had_expired_is_not_among_them() {
    let mut user = User::with_limit(2);
    user.policy.at_limit = AtLimit::EvictOldest;
    user.admitted("expired");
    user.pass(user.lease_ms());
    user.admitted("evicted");
    user.admitted("b");
    let (_, ids) = listed(&mut user, "c");
    assert_eq!(ids, ["b", "c"]);
}

#[test]
fn a_start_that_is_made_again_lists_the_same() {
    let mut user = User::with_limit(2);
    listed(&mut user, "a");
    let (_, first) = listed(&mut user, "b");
    let (outcome, second) = listed(&mut user, "b");
    assert!(matches!(outcome, StartOutcome::AlreadyLive(_)));
    assert_eq!(first, second);
}
