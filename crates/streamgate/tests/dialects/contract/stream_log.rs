//! stream-log: which user a stream belongs to.

use super::ask;
use crate::dialects::dialect::Dialect;
use crate::dialects::setup::Service;

fn post(service: &Service, user: &str) -> (u16, String) {
    let body = format!(r#"{{"userId":{user}}}"#);
    ask(service, Dialect::StreamLog, ("POST", "/dev/stream"), &body)
}

fn delete(service: &Service, user: &str, stream: &str) -> u16 {
    let body = format!(r#"{{"userId":{user},"streamId":"{stream}"}}"#);
    ask(
        service,
        Dialect::StreamLog,
        ("DELETE", "/dev/stream"),
        &body,
    )
    .0
}

/// The id that was made for a user, which is named as it was sent.
fn made(user: &str, (status, text): (u16, String)) -> String {
    let id = text
        .strip_prefix(r#"{"statusCode":201,"message":{"streamId":""#)
        .and_then(|rest| rest.strip_suffix(&format!(r#"","userId":{user}}}}}"#)));
    assert_eq!(status, 201, "{text}");
    id.unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn a_number_and_the_same_digits_as_text_are_two_users() {
    let service = Service::start(&[]);
    for user in ["5", "\"5\""] {
        let ids = [(); 3].map(|()| made(user, post(&service, user)));
        assert_eq!(post(&service, user).0, 403, "{user}");
        let other = if user == "5" { "\"5\"" } else { "5" };
        assert_eq!(
            delete(&service, other, &ids[0]),
            404,
            "{user} is not {other}"
        );
        assert_eq!(delete(&service, user, &ids[0]), 204);
        made(user, post(&service, user));
    }
    assert_eq!(service.live("5").len(), 3);
    assert_eq!(service.everything().sessions.len(), 6);
}

#[test]
fn the_stream_of_another_user_stays() {
    let service = Service::start(&[]);
    let id = made("\"u\"", post(&service, "\"u\""));
    made("\"other\"", post(&service, "\"other\""));
    assert_eq!(delete(&service, "\"other\"", &id), 404);
    assert_eq!(delete(&service, "\"nobody\"", &id), 404);
    assert_eq!(service.live("u"), [id]);
    assert_eq!(service.everything().users, ["other", "u"]);
}
