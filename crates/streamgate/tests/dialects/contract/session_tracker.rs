//! session-tracker: which ids are one user, and which users are known.

use super::ask;
use crate::dialects::dialect::Dialect;
use crate::dialects::setup::Service;

const ALREADY_0: &str = r#"{"message":"Already 0 active sessions, so can't remove any!"}"#;
const NEVER_EXISTED: &str =
    r#"{"message":"Cannot decrement number of sessions for user which never existed!"}"#;

fn add(service: &Service, user: &str) -> (u16, String) {
    let path = format!("/add-session?user_id={user}");
    ask(service, Dialect::SessionTracker, ("POST", &path), "")
}

fn remove(service: &Service, user: &str) -> (u16, String) {
    let path = format!("/remove-session?user_id={user}");
    ask(service, Dialect::SessionTracker, ("POST", &path), "")
}

fn number(direction: &str, number: usize) -> (u16, String) {
    let message = format!("Number of active session {direction} to {number}");
    (200, format!(r#"{{"message":"{message}"}}"#))
}

#[test]
fn spellings_of_a_number_are_one_user_and_texts_are_not() {
    let service = Service::start(&[]);
    for (i, spelling) in ["1", "001", "1.0"].into_iter().enumerate() {
        assert_eq!(
            add(&service, spelling),
            number("incremented", i + 1),
            "{spelling}"
        );
    }
    assert_eq!(remove(&service, "01.00"), number("decremented", 2));
    for other in ["10", "a1", "1a", "one", "A", "a"] {
        assert_eq!(add(&service, other), number("incremented", 1), "{other}");
    }
    assert_eq!(service.live("1").len(), 2);
}

#[test]
fn a_user_with_a_limit_is_known() {
    let service = Service::start(&[]);
    assert_eq!(remove(&service, "u"), (200, NEVER_EXISTED.to_owned()));
    service.set_limit("u", 2);
    assert_eq!(remove(&service, "u"), (409, ALREADY_0.to_owned()));
}

#[test]
fn a_user_whose_last_session_is_forgotten_is_known_no_more() {
    for (window, after) in [
        ("policy.revive_window_s=600", (409, ALREADY_0.to_owned())),
        ("policy.revive_window_s=0", (200, NEVER_EXISTED.to_owned())),
    ] {
        let service = Service::start(&[window]);
        assert_eq!(add(&service, "u"), number("incremented", 1));
        assert_eq!(remove(&service, "u"), number("decremented", 0));
        assert_eq!(remove(&service, "u"), after, "{window}");
        let users = service.everything().users;
        assert_eq!(users.is_empty(), after.0 == 200, "{window}: {users:?}");
    }
}

#[test]
fn a_removal_makes_no_user() {
    let service = Service::start(&[]);
    assert_eq!(remove(&service, "u"), (200, NEVER_EXISTED.to_owned()));
    assert_eq!(service.everything().users, [""; 0]);
}
