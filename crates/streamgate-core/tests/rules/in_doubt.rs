//! What a second run tells about a first one whose outcome is unknown (`Command::confirms`): the
//! first counts as committed exactly if it was.

use crate::support::{User, attributes, id, import, newest};
use streamgate_core::admission::{
    Adopt, Edit, EraseUser, Heartbeat, HeartbeatOutcome, IfKnown, ImportUser, ImportedSession,
    InTurn, ResetUser, SetUser, Start, StartOutcome, Stop, StopNewest, StopNewestOutcome,
    StopOutcome, WithSessions,
};
use streamgate_core::{AtLimit, Command, Durability, EndReason, Ledger, Seconds};

/// What became of the first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Committed,
    Lost,
}

/// Runs a command, lets others take their turn, and runs it again; answers whether the caller is
/// told of the first run, and the outcome of the second.
fn again<C: Command>(
    first: First,
    user: &mut User,
    command: &C,
    others: impl FnOnce(&mut User),
) -> (bool, C::Outcome)
where
    C::Outcome: Clone,
{
    let before = user.clone();
    let run = user.run(command);
    assert_eq!(
        run.durability(),
        Some(Durability::Durable),
        "else nothing is in doubt"
    );
    if first == First::Lost {
        *user = before;
    }
    others(user);
    let second = user.run(command);
    let found_nothing_to_do = second.durability() != Some(Durability::Durable);
    let was_done = found_nothing_to_do && C::confirms(&run.outcome, &second.outcome);
    (was_done, second.outcome)
}

fn nobody(_: &mut User) {}

fn stop(text: &str) -> Stop {
    let (id, reason) = (id(text), EndReason::Stopped);
    Stop { id, reason }
}

/// Two are watching; `b` is the newer one.
fn two_watch() -> User {
    let mut user = User::with_limit(3);
    user.admitted("a");
    user.pass(1_000);
    user.admitted("b");
    user
}

#[test]
fn a_run_that_was_committed_is_told_of() {
    fn told<C: Command<Outcome: Clone>>(command: &C) -> bool {
        again(First::Committed, &mut two_watch(), command, nobody).0
    }
    let set = SetUser {
        limit: Edit::Set(5),
        ..SetUser::default()
    };
    assert!(told(&Start::new(id("c"))));
    assert!(told(&IfKnown(Start::new(id("c")))));
    assert!(told(&WithSessions(Start::new(id("c")))));
    assert!(told(&Adopt(Start::new(id("c")))));
    assert!(told(&stop("b")));
    assert!(told(&newest(&two_watch())));
    assert!(told(&set));
    assert!(told(&EraseUser));
    assert!(told(&ResetUser::default()));
    assert!(told(&import(&["c", "d"])));
    let named = ImportUser {
        profile: attributes(&[("Name", "Ann")]),
        ..import(&[])
    };
    assert!(told(&InTurn(vec![import(&["c", "d"]), named])));
    let mut late = two_watch();
    late.pass(late.lease_ms());
    let beat = Heartbeat { id: id("a") };
    assert!(again(First::Committed, &mut late, &beat, nobody).0);
}

#[test]
fn a_lost_start_whose_slot_others_took_is_refused() {
    let (told, second) = again(
        First::Lost,
        &mut two_watch(),
        &Start::new(id("c")),
        |user| {
            user.admitted("rival");
        },
    );
    assert!(
        !told && matches!(second, StartOutcome::Refused(_)),
        "{second:?}"
    );
}

/// A node may try a commit on what it takes the ledger to be. What it decided on an older one was
/// not done, although the session is live: it has been for longer.
#[test]
fn a_start_that_was_decided_on_an_older_ledger_is_told_as_it_is() {
    let start = Start::new(id("a"));
    let guessed = {
        let mut older = User::with_limit(3);
        older.pass(5_000);
        older.run(&start).outcome
    };
    let mut user = two_watch();
    let second = user.run(&start).outcome;
    assert!(matches!(guessed, StartOutcome::Admitted(_)));
    assert!(matches!(second, StartOutcome::AlreadyLive(_)));
    assert!(!Start::confirms(&guessed, &second));
}

/// What a decision leaves behind is recognised by its times: another's, on the ledger as it really
/// was, leaves others.
#[test]
fn a_ledger_contradicts_what_was_decided_on_another_one() {
    fn contradicted<C: Command<Outcome: Clone>>(
        command: &C,
        others: impl FnOnce(&mut User),
    ) -> bool {
        let older = two_watch();
        let (mut tried, mut truth) = (older.clone(), older);
        tried.pass(5_000);
        let events = tried.run(command).events;
        let contradicts = |ledger: &Ledger| events.iter().any(|e| ledger.contradicts(e));
        assert!(!contradicts(&tried.ledger), "it is what was decided");
        tried.pass(1_000);
        tried.stop("a");
        assert!(!contradicts(&tried.ledger), "something else was done since");
        others(&mut truth);
        contradicts(&truth.ledger)
    }
    let limited = |limit| SetUser {
        limit: Edit::Set(limit),
        ..SetUser::default()
    };
    assert!(contradicted(&Start::new(id("c")), |user| {
        user.admitted("c");
    }));
    assert!(contradicted(&stop("b"), |user| {
        user.stop("b");
    }));
    assert!(contradicted(&newest(&two_watch()), |user| {
        user.stop("b");
    }));
    assert!(contradicted(&EraseUser, |user| {
        user.run(&EraseUser);
    }));
    assert!(contradicted(&limited(5), |user| {
        user.run(&limited(6));
    }));
}

#[test]
fn a_lost_revival_whose_slot_others_took_has_ended() {
    let mut user = User::with_limit(1);
    user.admitted("a");
    user.pass(user.lease_ms());
    let beat = Heartbeat { id: id("a") };
    let (told, second) = again(First::Lost, &mut user, &beat, |user| {
        user.admitted("rival");
    });
    assert!(
        !told && matches!(second, HeartbeatOutcome::Ended(_)),
        "{second:?}"
    );
}

#[test]
fn a_lost_adoption_whose_slot_others_took_has_ended() {
    let adopt = Adopt(Start::new(id("c")));
    let (told, second) = again(First::Lost, &mut two_watch(), &adopt, |user| {
        user.admitted("rival");
    });
    assert!(
        !told && matches!(second, HeartbeatOutcome::Ended(_)),
        "{second:?}"
    );
}

#[test]
fn a_start_of_a_user_that_was_erased_meanwhile_is_not_told_as_done() {
    for first in [First::Committed, First::Lost] {
        let start = IfKnown(Start::new(id("c")));
        let (told, second) = again(first, &mut two_watch(), &start, |user| {
            user.run(&EraseUser);
        });
        assert_eq!((told, second), (false, None), "{first:?}");
    }
}

/// Its player must hear that another session took the slot, not that it gave it back.
#[test]
fn a_lost_stop_of_a_session_that_was_evicted_is_not_told_as_done() {
    let mut user = User::with_limit(1);
    user.policy.at_limit = AtLimit::EvictOldest;
    user.admitted("a");
    let (told, second) = again(First::Lost, &mut user, &stop("a"), |user| {
        user.admitted("rival");
    });
    let StopOutcome::AlreadyEnded(ending) = second else {
        panic!("it was evicted: {second:?}");
    };
    assert_eq!((told, ending.reason), (false, EndReason::Evicted));
}

#[test]
fn without_a_window_a_committed_stop_is_told_of_all_the_same() {
    let mut user = two_watch();
    user.policy.revive_window = Seconds(0);
    let (told, second) = again(First::Committed, &mut user.clone(), &stop("b"), nobody);
    assert_eq!((told, second), (true, StopOutcome::Unknown));
    let (told, second) = again(First::Committed, &mut user.clone(), &newest(&user), nobody);
    assert!(told, "{second:?}");
    assert_eq!(user.live(), ["a", "b"]);
}

/// The session is live still; a caller that heard "stopped" would believe in a slot that is taken.
#[test]
fn a_lost_stop_of_the_newest_is_not_done_because_a_newer_one_started() {
    let mut user = two_watch();
    let command = newest(&user);
    let (told, second) = again(First::Lost, &mut user, &command, |user| {
        user.admitted("c");
    });
    let StopNewestOutcome::NewestIs { newest, .. } = second else {
        panic!("c is the newest: {second:?}");
    };
    assert_eq!((told, newest.id), (false, id("c")));
    assert_eq!(user.live(), ["a", "b", "c"]);
}

#[test]
fn a_stop_of_the_newest_ends_one_whoever_starts_meanwhile() {
    let mut user = two_watch();
    let command = newest(&user);
    let (told, _) = again(First::Committed, &mut user, &command, |user| {
        user.admitted("c");
    });
    assert!(told);
    assert_eq!(user.live(), ["a", "c"]);
}

/// The one that started again is another session, and must not be ended for the first one.
#[test]
fn a_stop_of_the_newest_ends_one_even_if_its_name_starts_again() {
    let mut user = two_watch();
    let command = newest(&user);
    let (told, _) = again(First::Committed, &mut user, &command, |user| {
        user.pass(1);
        user.admitted("b");
    });
    assert!(told);
    assert_eq!(user.live(), ["a", "b"]);
}

/// It would come back with its next heartbeat, although its caller heard that it has stopped.
#[test]
fn a_lost_stop_of_the_newest_is_not_done_because_its_lease_ran_out() {
    let mut user = two_watch();
    let command = newest(&user);
    let (told, second) = again(First::Lost, &mut user, &command, |user| {
        user.pass(user.lease_ms());
    });
    assert!(
        !told && matches!(second, StopNewestOutcome::NoneLive { .. }),
        "{second:?}"
    );
}

#[test]
fn a_lost_stop_of_the_newest_is_not_done_because_an_operator_ended_all() {
    let mut user = two_watch();
    let command = newest(&user);
    let (told, second) = again(First::Lost, &mut user, &command, |user| {
        user.run(&EraseUser);
    });
    let (is_known, was_stopped) = (false, false);
    let nobody = StopNewestOutcome::NoneLive {
        is_known,
        was_stopped,
    };
    assert_eq!((told, second), (false, nobody));
}

/// The one doubt that stays: who stopped it? Better one session fewer ended than one too many.
#[test]
fn a_stop_of_the_newest_takes_another_stop_of_it_for_its_own() {
    for first in [First::Committed, First::Lost] {
        let mut user = two_watch();
        let command = newest(&user);
        let (told, _) = again(first, &mut user, &command, |user| {
            user.stop("b");
        });
        assert!(told, "{first:?}");
        assert_eq!(user.live(), ["a"]);
    }
}

#[test]
fn a_look_for_the_newest_changes_nothing_and_is_never_in_doubt() {
    let mut user = two_watch();
    let look = user.run(&StopNewest::default());
    assert_eq!(look.events, []);
}

#[test]
fn a_lost_import_whose_slots_others_took_is_not_told_as_done() {
    let (told, second) = again(
        First::Lost,
        &mut two_watch(),
        &import(&["c", "d"]),
        |user| {
            user.admitted("rival");
        },
    );
    assert_eq!(
        (told, second.sessions),
        (false, vec![ImportedSession::NoSlot; 2])
    );
}

#[test]
fn an_import_that_was_committed_is_told_of_whatever_ended_since() {
    let (told, second) = again(
        First::Committed,
        &mut two_watch(),
        &import(&["c"]),
        |user| {
            user.stop("c");
        },
    );
    let ended = vec![ImportedSession::Ended(EndReason::Stopped)];
    assert_eq!((told, second.sessions), (true, ended));
}

/// A caller that heard "has the profile" would throw its own copy away.
#[test]
fn a_lost_import_of_a_profile_is_not_done_because_the_user_got_another_one() {
    let command = ImportUser {
        profile: attributes(&[("name", "Old")]),
        ..import(&[])
    };
    let (told, second) = again(First::Lost, &mut two_watch(), &command, |user| {
        let profile = Edit::Set(attributes(&[("name", "New")]));
        user.run(&SetUser {
            profile,
            ..SetUser::default()
        });
    });
    assert_eq!((told, second.has_profile), (false, false));
}

#[test]
fn a_reset_that_others_overtook_is_done_again() {
    for first in [First::Committed, First::Lost] {
        let mut user = two_watch();
        let (told, second) = again(first, &mut user, &ResetUser::default(), |user| {
            user.admitted("late");
        });
        let revoked = if first == First::Lost { 3 } else { 1 };
        assert_eq!((told, second.revoked), (false, revoked), "{first:?}");
        assert_eq!(user.live(), [""; 0]);
    }
}
