//! Users in LoopBack's `db.json`, the file of user-streams.

use serde_json::Value;

use super::check::Raw;

/// Where the users are.
pub(super) const USERS: &[&str] = &["models", "UserStreams"];

/// The user of a row. The memory connector keeps rows as JSON in a text.
pub(super) fn user(key: &str, row: &Value) -> Result<Raw, String> {
    let parsed;
    let row = match row {
        Value::String(text) => {
            parsed = serde_json::from_str(text)
                .map_err(|error| format!("the row is not valid JSON: {error}"))?;
            &parsed
        }
        row => row,
    };
    if !row.is_object() {
        return Err("the row must be an object".to_owned());
    }
    let user_id = match &row["userId"] {
        Value::Null => key,
        Value::String(user_id) => user_id,
        _ => return Err("userId must be text".to_owned()),
    };
    // The count beside them (`noOfStreams`) is redundant.
    let sessions = match &row["sessionIds"] {
        Value::Null => Vec::new(),
        Value::Array(sessions) => sessions.clone(),
        _ => return Err("sessionIds must be a list".to_owned()),
    };
    Ok(Raw {
        user_id: user_id.to_owned(),
        sessions,
        ..Raw::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_read_as_text_and_as_objects() {
        let row = json!({"userId": "u", "noOfStreams": 2, "sessionIds": ["1", "2"]});
        for row in [json!(row.to_string()), row] {
            let raw = user("key", &row).unwrap();
            assert_eq!(raw.user_id, "u");
            assert_eq!(raw.sessions, ["1", "2"]);
        }
        assert_eq!(user("key", &json!({})).unwrap().user_id, "key");
    }

    #[test]
    fn rows_that_cannot_be_read_say_why() {
        for (row, why) in [
            (json!("{"), "the row is not valid JSON"),
            (json!("[]"), "the row must be an object"),
            (json!({"userId": 1}), "userId must be text"),
            (json!({"sessionIds": "1"}), "sessionIds must be a list"),
        ] {
            let said = user("key", &row).err().unwrap();
            assert!(said.starts_with(why), "{said}");
        }
    }
}
