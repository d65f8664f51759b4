//! Taking over a user: never above the limit, no session gives way, none that ended comes back, and
//! the second time changes nothing.

use crate::support::{User, attributes, id, import, name};
use streamgate_core::admission::{HeartbeatOutcome, ImportUser, ImportedSession, InTurn};
use streamgate_core::bounds::LIVE_MAX;
use streamgate_core::{AtLimit, Durability, EndReason, Seconds};

use ImportedSession::{AlreadyLive, Ended, NoSlot, Started};

/// Imports these sessions.
fn imported(user: &mut User, sessions: &[&str]) -> Vec<ImportedSession> {
    user.run(&import(sessions)).outcome.sessions
}

#[test]
fn sessions_start_in_their_order_as_far_as_slots_are_free() {
    for at_limit in [AtLimit::DenyNew, AtLimit::EvictOldest] {
        let mut user = User::with_limit(3);
        user.policy.at_limit = at_limit;
        user.admitted("here");
        let told = user.run(&import(&["z", "y", "x", "w"])).outcome;
        assert_eq!(told.sessions, [Started, Started, NoSlot, NoSlot]);
        assert_eq!((told.limit, told.active), (3, 3), "{at_limit:?}");
        assert_eq!(user.live(), ["here", "z", "y"], "{at_limit:?}");
    }
}

#[test]
fn an_imported_session_holds_its_slot_for_the_lease_of_the_import() {
    let mut user = User::with_limit(3);
    imported(&mut user, &["a"]);
    let session = user.ledger.find(&id("a")).expect("it is live");
    assert_eq!(session.lease, Seconds(3_600));
    assert_eq!(session.expires_at, user.now().plus(Seconds(3_600)));
}

#[test]
fn a_session_that_is_live_here_stays_what_it_was_and_takes_no_second_slot() {
    let mut user = User::with_limit(1);
    let here = user.admitted("a");
    user.pass(1_000);
    assert_eq!(imported(&mut user, &["b", "a"]), [NoSlot, AlreadyLive]);
    let session = user.ledger.find(&id("a")).expect("it is live");
    assert_eq!(session.started_at, here.started_at);
    assert_eq!(session.lease, here.lease);
    assert_eq!(session.expires_at, user.now().plus(here.lease));
}

#[test]
fn several_imports_in_turn_are_those_that_come_one_after_the_other() {
    let named = |text: &str| ImportUser {
        profile: attributes(&[("Name", text)]),
        ..import(&[])
    };
    let imports = [
        import(&["a", "b"]),
        named("Ann"),
        import(&["b", "c"]),
        named("Bob"),
        import(&["d"]),
    ];
    let (mut once, mut singly) = (User::with_limit(3), User::with_limit(3));
    let together = once.run(&InTurn(imports.to_vec()));
    let each: Vec<_> = (imports.iter()).map(|import| singly.run(import)).collect();
    let outcomes: Vec<_> = each.iter().map(|one| one.outcome.clone()).collect();
    assert_eq!(together.outcome, outcomes);
    assert_eq!(
        together.events,
        each.into_iter()
            .flat_map(|one| one.events)
            .collect::<Vec<_>>()
    );
    assert_eq!(once.ledger, singly.ledger);
    let is_taken_over: Vec<bool> = outcomes.iter().map(|one| one.has_profile).collect();
    assert_eq!(is_taken_over, [true, true, true, false, true]);
}

#[test]
fn a_blocked_user_gets_no_session() {
    for at_limit in [AtLimit::DenyNew, AtLimit::EvictOldest] {
        let mut user = User::with_limit(0);
        user.policy.at_limit = at_limit;
        let decision = user.run(&import(&["a"]));
        assert_eq!(decision.outcome.sessions, [NoSlot]);
        assert_eq!(decision.events, []);
    }
}

#[test]
fn a_user_above_its_limit_keeps_all_and_gets_none() {
    for at_limit in [AtLimit::DenyNew, AtLimit::EvictOldest] {
        let mut user = User::with_limit(3);
        user.policy.at_limit = at_limit;
        for session in ["a", "b", "c"] {
            user.admitted(session);
        }
        user.ledger.limit = Some(1);
        assert_eq!(imported(&mut user, &["d", "c"]), [NoSlot, AlreadyLive]);
        assert_eq!(user.live(), ["a", "b", "c"]);
    }
}

#[test]
fn no_session_that_ended_here_is_started_again_however_it_ended() {
    let mut user = User::with_limit(1);
    user.admitted("expired");
    user.pass(user.lease_ms());
    user.admitted("stopped");
    user.stop("stopped");
    user.policy.at_limit = AtLimit::EvictOldest;
    user.admitted("evicted");
    user.admitted("last");
    user.stop("last");
    let told = imported(&mut user, &["expired", "stopped", "evicted", "new"]);
    let ended = [EndReason::Expired, EndReason::Stopped, EndReason::Evicted].map(Ended);
    assert_eq!(told, [&ended[..], &[Started]].concat());
    assert_eq!(user.live(), ["new"]);
    // An import is no heartbeat, and takes none away: its player still may come back.
    user.stop("new");
    let back = user.beat("expired");
    assert!(matches!(back, HeartbeatOutcome::Revived { .. }), "{back:?}");
}

#[test]
fn a_slot_whose_lease_is_over_is_free_for_an_import() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.pass(user.lease_ms());
    assert_eq!(imported(&mut user, &["b"]), [Started]);
}

#[test]
fn the_second_of_two_imports_changes_nothing_but_leases() {
    let mut user = User::with_limit(2);
    let command = ImportUser {
        profile: attributes(&[("name", "Ana")]),
        ..import(&["a", "b", "c"])
    };
    user.run(&command);
    user.pass(1_000);
    let again = user.run(&command);
    assert_eq!(again.outcome.sessions, [AlreadyLive, AlreadyLive, NoSlot]);
    assert_eq!(again.durability(), Some(Durability::Memory));
    user.stop("a");
    let third = user.run(&command);
    let stopped = Ended(EndReason::Stopped);
    assert_eq!(third.outcome.sessions, [stopped, AlreadyLive, Started]);
}

#[test]
fn a_profile_is_brought_to_a_user_that_has_none_and_plan_and_limit_stay() {
    let mut user = User::with_limit(3);
    (user.ledger.limit, user.ledger.plan) = (Some(7), Some(name("gold")));
    let bringing = |text| ImportUser {
        profile: attributes(&[("name", text)]),
        ..import(&[])
    };
    assert!(user.run(&bringing("Ana")).outcome.has_profile);
    assert_eq!(user.ledger.profile, attributes(&[("name", "Ana")]));
    assert_eq!(user.ledger.limit, Some(7));
    assert_eq!(user.ledger.plan, Some(name("gold")));

    let second = user.run(&bringing("Bea"));
    assert!(!second.outcome.has_profile && second.events.is_empty());
    assert_eq!(user.ledger.profile, attributes(&[("name", "Ana")]));
}

#[test]
fn an_import_without_a_profile_leaves_the_one_that_is_there() {
    let mut user = User::with_limit(3);
    user.ledger.profile = attributes(&[("name", "Ana")]);
    imported(&mut user, &["a"]);
    assert_eq!(user.ledger.profile, attributes(&[("name", "Ana")]));
}

#[test]
fn as_many_as_the_highest_limit_are_taken_over_at_once() {
    let max = u32::try_from(LIVE_MAX).expect("1,000");
    let mut user = User::with_limit(max);
    let names: Vec<String> = (0..LIVE_MAX).map(|i| format!("s{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let told = user.run(&import(&names)).outcome;
    assert!(told.sessions.iter().all(|session| *session == Started));
    assert_eq!(
        (told.active, user.live()),
        (max, names.iter().map(|n| (*n).to_owned()).collect())
    );
}
