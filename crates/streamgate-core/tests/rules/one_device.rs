//! An id is one playback's: a start that names a live session of another device is refused.

use std::sync::Arc;

use crate::support::{User, id, name};
use streamgate_core::admission::{Start, StartOutcome};
use streamgate_core::{AtLimit, OverLimit, SessionMetadata};

fn start_on(text: &str, device: Option<&str>) -> Start {
    let metadata = SessionMetadata {
        device_id: device.map(name),
        content_id: Some(name("film")),
        ..SessionMetadata::default()
    };
    Start {
        metadata: Some(metadata.into()),
        ..Start::new(id(text))
    }
}

#[test]
fn a_live_session_of_another_device_is_taken() {
    for at_limit in [AtLimit::DenyNew, AtLimit::EvictOldest] {
        let mut user = User::with_limit(3);
        user.policy.at_limit = at_limit;
        user.run(&start_on("a", Some("tv")));
        let before = user.ledger.clone();
        let decision = user.run(&start_on("a", Some("phone")));
        assert_eq!(decision.outcome, StartOutcome::Taken);
        assert_eq!((decision.events, user.ledger), (vec![], before));
    }
}

#[test]
fn a_start_of_the_same_device_is_a_retry_whatever_it_plays_now() {
    let mut user = User::with_limit(1);
    user.run(&start_on("a", Some("tv")));
    let mut again = start_on("a", Some("tv"));
    Arc::make_mut(again.metadata.as_mut().unwrap()).content_id = Some(name("match"));
    assert!(matches!(
        user.run(&again).outcome,
        StartOutcome::AlreadyLive(_)
    ));
}

#[test]
fn a_start_that_names_no_device_or_meets_none_is_a_retry() {
    for (first, second) in [(Some("tv"), None), (None, Some("tv")), (None, None)] {
        let mut user = User::with_limit(1);
        user.run(&start_on("a", first));
        let again = user.run(&start_on("a", second)).outcome;
        assert!(
            matches!(again, StartOutcome::AlreadyLive(_)),
            "{first:?} {second:?}"
        );
    }
    let mut user = User::with_limit(1);
    user.run(&start_on("a", Some("tv")));
    assert!(matches!(user.start("a"), StartOutcome::AlreadyLive(_)));
}

#[test]
fn an_id_whose_session_has_ended_is_anybodys() {
    let mut user = User::with_limit(1);
    user.run(&start_on("a", Some("tv")));
    user.stop("a");
    let again = user.run(&start_on("a", Some("phone"))).outcome;
    assert!(matches!(again, StartOutcome::Admitted(_)), "{again:?}");
}

/// The session above the limit is not this caller's, so it is not the one to end.
#[test]
fn a_taken_session_above_the_limit_is_not_ended_by_another_device() {
    let mut user = User::with_limit(2);
    user.policy.over_limit = OverLimit::EndNewest;
    user.run(&start_on("a", Some("tv")));
    user.run(&start_on("b", Some("tv")));
    user.policy.default_limit = 1;
    let outcome = user.run(&start_on("b", Some("phone"))).outcome;
    assert_eq!(outcome, StartOutcome::Taken);
    assert_eq!(user.live(), ["a", "b"]);
}
