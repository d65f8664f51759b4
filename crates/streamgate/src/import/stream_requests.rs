//! Users in `database.json`, the file of stream-requests.

use serde_json::Value;
use streamgate_server::stream_requests_session;

use super::check::Raw;

/// Where the users are.
pub(super) const USERS: &[&str] = &["Users"];

/// The fields of a user that its profile gets.
const PROFILE: [&str; 2] = ["Name", "Subscription"];

/// The user of a row.
pub(super) fn user(key: &str, row: &Value) -> Result<Raw, String> {
    if !row.is_object() {
        return Err("the user must be an object".to_owned());
    }
    // The count beside them (`activeStreams`) may be higher: the original also counted requests
    // without a stream.
    let sessions = match &row["Status"]["Online"]["Streams"]["watching"] {
        Value::Null => Vec::new(),
        Value::Array(sessions) => sessions.iter().map(session).collect(),
        _ => return Err("Status.Online.Streams.watching must be a list".to_owned()),
    };
    let profile = PROFILE
        .into_iter()
        .filter(|name| !row[name].is_null())
        .map(|name| (name, row[name].clone()))
        .collect();
    Ok(Raw {
        user_id: key.to_owned(),
        sessions,
        profile,
        surplus: 0,
    })
}

/// The id of a stream's session, as the dialect spells it.
fn session(stream: &Value) -> Value {
    match stream {
        Value::String(name) => stream_requests_session(name).into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_streams_are_sessions_and_the_rest_is_the_profile() {
        let row = json!({
            "Name": "Ann", "Subscription": "Gold",
            "Status": {
                "Online": {"Streams": {"activeStreams": 2, "watching": ["Stream_1", 7]}},
                "offline": {"lastOnline": null},
            },
        });
        let raw = user("010", &row).unwrap();
        assert_eq!(raw.user_id, "010");
        assert_eq!(raw.sessions, [json!("stream_1"), json!(7)]);
        assert_eq!(
            raw.profile,
            [("Name", json!("Ann")), ("Subscription", json!("Gold"))]
        );
        assert!(user("011", &json!({})).unwrap().profile.is_empty());
        assert!(user("012", &json!(null)).is_err());
    }
}
