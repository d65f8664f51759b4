//! Letting a user begin again: what goes, what stays, and that the second time changes nothing.

use crate::support::{User, attributes, name};
use streamgate_core::admission::{Edit, Erased, HeartbeatOutcome, ResetUser, StartOutcome};
use streamgate_core::{AtLimit, EndReason, Event, Ledger, Policy};

fn reset(profile: Edit<streamgate_core::Attributes>) -> ResetUser {
    ResetUser { profile }
}

/// A user with a limit, a plan, a profile, two sessions, one that stopped and one that expired.
fn eventful() -> User {
    let mut user = User::with_limit(3);
    user.admitted("expired");
    user.pass(user.lease_ms());
    for session in ["a", "b", "stopped"] {
        user.admitted(session);
    }
    user.stop("stopped");
    user.ledger.limit = Some(7);
    user.ledger.plan = Some(name("gold"));
    user.ledger.profile = attributes(&[("name", "Ana")]);
    user
}

#[test]
fn a_reset_ends_all_sessions_and_forgets_the_rest() {
    let mut user = eventful();
    let told = user.run(&ResetUser::default()).outcome;
    let (revoked, was_known) = (2, true);
    assert_eq!(told, Erased { revoked, was_known });
    assert_eq!(user.live(), [""; 0]);
    for gone in ["expired", "stopped"] {
        assert_eq!(user.beat(gone), HeartbeatOutcome::Unknown, "{gone}");
    }
    for player in ["a", "b"] {
        let HeartbeatOutcome::Ended(ending) = user.beat(player) else {
            panic!("{player} must hear what happened");
        };
        assert_eq!(
            (ending.reason, ending.ended_at),
            (EndReason::Revoked, user.now())
        );
    }
}

#[test]
fn plan_and_limit_stay_and_the_profile_is_what_the_reset_says() {
    let new = attributes(&[("name", "Bea")]);
    let old = attributes(&[("name", "Ana")]);
    for (edit, expected) in [
        (Edit::Keep, old),
        (Edit::Clear, attributes(&[])),
        (Edit::Set(new.clone()), new),
    ] {
        let mut user = eventful();
        user.run(&reset(edit.clone()));
        assert_eq!(user.ledger.limit, Some(7), "{edit:?}");
        assert_eq!(user.ledger.plan, Some(name("gold")), "{edit:?}");
        assert_eq!(user.ledger.profile, expected, "{edit:?}");
    }
}

/// A reset must not lift a block.
#[test]
fn a_blocked_user_stays_blocked() {
    let mut user = eventful();
    user.ledger.limit = Some(0);
    user.run(&ResetUser::default());
    assert!(matches!(user.start("a"), StartOutcome::Refused(_)));
}

#[test]
fn a_user_who_has_nothing_else_is_unknown_after_it_and_leaves_nothing_behind() {
    let mut user = eventful();
    (user.ledger.limit, user.ledger.plan) = (None, None);
    user.run(&reset(Edit::Clear));
    assert!(!user.ledger.is_known());
    user.pass(user.window_ms());
    user.settle();
    assert_eq!(user.ledger, Ledger::default());
}

#[test]
fn a_reset_with_a_profile_makes_a_user() {
    let mut user = User::with_limit(3);
    let told = user.run(&reset(Edit::Set(attributes(&[("name", "Ana")]))));
    let (revoked, was_known) = (0, false);
    assert_eq!(told.outcome, Erased { revoked, was_known });
    assert!(user.ledger.is_known());
}

#[test]
fn the_second_of_two_resets_changes_nothing() {
    let profile = Edit::Set(attributes(&[("name", "Bea")]));
    for edit in [Edit::Keep, Edit::Clear, profile] {
        let mut user = eventful();
        user.run(&reset(edit.clone()));
        let again = user.run(&reset(edit.clone()));
        assert_eq!(again.events, [], "{edit:?}");
        let (revoked, was_known) = (0, true);
        assert_eq!(again.outcome, Erased { revoked, was_known });
    }
}

#[test]
fn a_reset_says_nothing_that_changes_nothing() {
    let ended = |event: &Event| matches!(event, Event::Ended(_));
    // Nobody was ever seen.
    let mut user = User::with_limit(3);
    assert_eq!(user.run(&ResetUser::default()).events, []);
    assert_eq!(user.run(&reset(Edit::Clear)).events, []);
    // Nothing but live sessions: they end, and there is nothing to forget or to set again.
    user.admitted("a");
    user.ledger.limit = Some(2);
    let events = user.run(&ResetUser::default()).events;
    assert!(events.len() == 1 && ended(&events[0]), "{events:?}");
    // A history and a profile that goes too: erasing takes it along.
    user.ledger.limit = None;
    user.ledger.profile = attributes(&[("name", "Ana")]);
    user.admitted("b");
    user.stop("b");
    let events = user.run(&reset(Edit::Clear)).events;
    assert_eq!(events, [Event::UserErased]);
}

#[test]
fn a_user_above_its_limit_is_reset_whole() {
    let mut user = eventful();
    user.ledger.limit = Some(1);
    user.policy = Policy {
        at_limit: AtLimit::EvictOldest,
        ..user.policy
    };
    assert_eq!(user.run(&ResetUser::default()).outcome.revoked, 2);
    assert_eq!(user.live(), [""; 0]);
}

#[test]
fn a_session_whose_lease_is_over_has_expired_and_is_forgotten_with_the_rest() {
    let mut user = User::with_limit(3);
    user.admitted("a");
    user.pass(user.lease_ms());
    let told = user.run(&ResetUser::default()).outcome;
    let (revoked, was_known) = (0, true);
    assert_eq!(told, Erased { revoked, was_known });
    assert_eq!(user.beat("a"), HeartbeatOutcome::Unknown);
}
