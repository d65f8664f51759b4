//! Rows of the session-tracker: `user_id` and `active_sessions`, a count without session ids.

use serde_json::Value;
use streamgate_core::bounds::LIVE_MAX;
use streamgate_server::session_tracker_number;

use super::check::Raw;

/// Doubles hold every whole number below this.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The user of a row. Its sessions get the same ids in every import, so that a repeated import does
/// not count them again.
pub(super) fn user(row: &Value) -> Result<Raw, String> {
    let user_id = member(row, "user_id").ok_or("the row has no user_id")?;
    let user_id = text_of(user_id).map_err(|why| format!("user_id {why}"))?;
    let user_id = session_tracker_number(&user_id).to_owned();
    let count = member(row, "active_sessions").ok_or("the row has no active_sessions")?;
    let count = text_of(count).map_err(|why| format!("active_sessions {why}"))?;
    let active: u64 = session_tracker_number(&count)
        .parse()
        .map_err(|_| format!("active_sessions must be a whole number from 0, is {count:?}"))?;
    let named = active.min(LIVE_MAX as u64);
    Ok(Raw {
        user_id,
        sessions: (1..=named)
            .map(|number| Value::String(format!("imported-{number}")))
            .collect(),
        surplus: active - named,
        profile: Vec::new(),
    })
}

/// A member of a row; in an export it stands inside of `Item`.
pub(super) fn member<'a>(row: &'a Value, name: &str) -> Option<&'a Value> {
    row.get("Item").unwrap_or(row).get(name)
}

/// A text or a number, plain or as DynamoDB writes it (`{"N": "1"}`), as text.
fn text_of(value: &Value) -> Result<String, &'static str> {
    let value = value.get("N").or_else(|| value.get("S")).unwrap_or(value);
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => match number.as_f64() {
            // A double that has lost its last digits: it might be the id of another user.
            Some(double) if !number.is_u64() && double.abs() >= EXACT_MAX => {
                Err("is too large a number; write it as text")
            }
            _ => Ok(number.to_string()),
        },
        _ => Err("must be a text or a number"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_write_a_row_is_read() {
        for row in [
            json!({"Item": {"user_id": {"N": "7"}, "active_sessions": {"N": "2"}}}),
            json!({"user_id": {"S": "007"}, "active_sessions": {"N": "2"}, "ttl": {"N": "1"}}),
            json!({"user_id": 7, "active_sessions": 2}),
            json!({"user_id": 7.0, "active_sessions": 2.0}),
            json!({"user_id": "7.00", "active_sessions": "02"}),
        ] {
            let raw = user(&row).unwrap();
            assert_eq!(raw.user_id, "7", "{row}");
            assert_eq!(raw.sessions, ["imported-1", "imported-2"]);
        }
    }

    #[test]
    fn rows_that_cannot_be_read_say_why() {
        for (row, why) in [
            (json!([]), "the row has no user_id"),
            (json!({"user_id": 1}), "the row has no active_sessions"),
            (
                json!({"user_id": {"NULL": true}, "active_sessions": 1}),
                "user_id must be a text or a number",
            ),
            (
                json!({"user_id": 1e30, "active_sessions": 1}),
                "user_id is too large a number; write it as text",
            ),
            (
                json!({"user_id": 1, "active_sessions": -1}),
                "active_sessions must be a whole number from 0, is \"-1\"",
            ),
            (
                json!({"user_id": 1, "active_sessions": 1.5}),
                "active_sessions must be a whole number from 0, is \"1.5\"",
            ),
        ] {
            assert_eq!(user(&row).err().as_deref(), Some(why), "{row}");
        }
    }
}
