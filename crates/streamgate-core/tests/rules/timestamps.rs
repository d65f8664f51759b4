//! Time as a value: nothing overflows, and the end of 9999 is the end.

use crate::support::{User, at};
use streamgate_core::bounds::TIMESTAMP_MAX_MS;
use streamgate_core::{Seconds, Timestamp};

#[test]
fn a_time_after_9999_becomes_its_end() {
    let last = at(TIMESTAMP_MAX_MS);
    assert_eq!(last.as_millis(), TIMESTAMP_MAX_MS);
    assert_eq!(at(TIMESTAMP_MAX_MS - 1).as_millis(), TIMESTAMP_MAX_MS - 1);
    assert_eq!(at(TIMESTAMP_MAX_MS + 1), last);
    assert_eq!(at(u64::MAX), last);
}

#[test]
fn a_sum_stops_at_the_end() {
    assert_eq!(at(1_500).plus(Seconds(2)), at(3_500));
    assert_eq!(at(0).plus(Seconds(u32::MAX)).as_millis(), 4_294_967_295_000);
    let last = at(TIMESTAMP_MAX_MS);
    for before_ms in [0, 1, 999, 1_000] {
        let sum = at(TIMESTAMP_MAX_MS - before_ms).plus(Seconds(1));
        assert_eq!(sum, last, "{before_ms}");
    }
    assert_eq!(
        at(TIMESTAMP_MAX_MS - 1_001).plus(Seconds(1)),
        at(TIMESTAMP_MAX_MS - 1)
    );
    assert_eq!(last.plus(Seconds(u32::MAX)), last);
}

#[test]
fn a_difference_stops_at_zero() {
    assert_eq!(at(5).millis_since(at(3)), 2);
    assert_eq!(at(3).millis_since(at(3)), 0);
    assert_eq!(at(3).millis_since(at(5)), 0);
    assert_eq!(
        at(TIMESTAMP_MAX_MS).millis_since(Timestamp::default()),
        TIMESTAMP_MAX_MS
    );
    assert_eq!(Seconds(u32::MAX).as_millis(), 4_294_967_295_000);
}

/// A clock that shows nonsense must not make a decision fail, let alone admit too many.
#[test]
fn decisions_are_made_at_both_ends_of_time() {
    for now_ms in [0, 1, TIMESTAMP_MAX_MS - 1] {
        let mut user = User {
            now_ms,
            ..User::with_limit(1)
        };
        user.admitted("a");
        assert_eq!(user.live(), ["a"], "at {now_ms}");
        assert!(matches!(
            user.start("b"),
            streamgate_core::admission::StartOutcome::Refused(_)
        ));
        user.stop("a");
        user.admitted("b");
        assert_eq!(user.live(), ["b"], "at {now_ms}");
    }
}
