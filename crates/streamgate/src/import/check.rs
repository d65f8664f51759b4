//! Checks a row against the bounds of ids and profiles: the user to import, and what is skipped.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use streamgate_core::bounds::{LIVE_MAX, USER_ID_MAX_BYTES};
use streamgate_core::{Attributes, SessionId, UserId};

use super::{Found, Place, Skip, User};

/// The reason of everything that is skipped here, as the server calls it.
const INVALID: Cow<'static, str> = Cow::Borrowed("invalid");

/// The user of a row, not yet checked.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) user_id: String,
    /// In the order in which they shall get slots.
    pub(super) sessions: Vec<Value>,
    /// How many sessions there are beside those.
    pub(super) surplus: u64,
    pub(super) profile: Vec<(&'static str, Value)>,
}

/// Everything found in a row: the skipped parts, then the user with the rest.
pub(super) fn found(at: Place, row: Result<Raw, String>) -> Vec<Found> {
    let mut skips = Vec::new();
    let mut skip = |user_id: Option<&str>, session_id: Option<String>, detail: String| {
        skips.push(Found::Skip(Skip {
            at: at.clone(),
            user_id: user_id.map(cut),
            session_id: session_id.as_deref().map(cut),
            reason: INVALID,
            detail: cut(&detail),
        }));
    };
    let raw = match row {
        Ok(raw) => raw,
        Err(why) => {
            skip(None, None, why);
            return skips;
        }
    };
    let user_id = raw.user_id;
    if let Err(error) = UserId::new(user_id.as_str()) {
        skip(Some(&user_id), None, format!("the user's id {error}"));
        return skips;
    }
    let (mut sessions, mut seen) = (Vec::new(), HashSet::new());
    let mut surplus = raw.surplus;
    for session in raw.sessions {
        match session_of(&session) {
            Err((session, why)) => skip(Some(&user_id), Some(session), why),
            Ok(session) if !seen.insert(session.clone()) => {
                let why = "the session is given twice".to_owned();
                skip(Some(&user_id), Some(session), why);
            }
            Ok(_) if sessions.len() == LIVE_MAX => surplus += 1,
            Ok(session) => sessions.push(session),
        }
    }
    if surplus > 0 {
        let why = format!("{surplus} sessions beyond the {LIVE_MAX} that a user can have");
        skip(Some(&user_id), None, why);
    }
    let profile = profile_of(raw.profile).unwrap_or_else(|why| {
        skip(Some(&user_id), None, why);
        BTreeMap::new()
    });
    if !sessions.is_empty() || !profile.is_empty() {
        skips.push(Found::User(User {
            at,
            user_id,
            sessions,
            profile,
        }));
    } else if skips.is_empty() {
        skips.push(Found::Nothing);
    }
    skips
}

/// The text, cut to the length of the longest id: a report must not repeat a file.
pub(super) fn cut(text: &str) -> String {
    if text.len() <= USER_ID_MAX_BYTES {
        return text.to_owned();
    }
    format!(
        "{}\u{2026}",
        &text[..text.floor_char_boundary(USER_ID_MAX_BYTES)]
    )
}

/// The id of a session; else the value in its place, and what is wrong with it.
fn session_of(value: &Value) -> Result<String, (String, String)> {
    let id = match value {
        Value::String(id) => id.clone(),
        // A float does not tell which of its spellings was meant.
        Value::Number(id) if !id.is_f64() => id.to_string(),
        other => {
            return Err((
                other.to_string(),
                "the session's id must be text or a whole number".to_owned(),
            ));
        }
    };
    match SessionId::new(&id) {
        Ok(_) => Ok(id),
        Err(error) => Err((id, format!("the session's id {error}"))),
    }
}

/// The profile, if all of it is within its bounds.
fn profile_of(members: Vec<(&str, Value)>) -> Result<BTreeMap<String, String>, String> {
    let mut profile = BTreeMap::new();
    for (name, value) in members {
        let Value::String(text) = value else {
            return Err(format!("the profile's {name} must be text"));
        };
        profile.insert(name.to_owned(), text);
    }
    let entries = profile.iter();
    let boxed = entries.map(|(name, text)| (name.as_str().into(), text.as_str().into()));
    match Attributes::new(boxed.collect()) {
        Ok(_) => Ok(profile),
        Err(error) => Err(format!("the profile's {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(raw: Raw) -> Vec<Found> {
        found(Place::Key("k".to_owned()), Ok(raw))
    }

    fn of(user: &str, sessions: &[Value]) -> Raw {
        Raw {
            user_id: user.to_owned(),
            sessions: sessions.to_vec(),
            ..Raw::default()
        }
    }

    fn details(found: &[Found]) -> Vec<&str> {
        let skips = found.iter().filter_map(|found| match found {
            Found::Skip(skip) => Some(skip.detail.as_str()),
            _ => None,
        });
        skips.collect()
    }

    #[test]
    fn what_is_wrong_is_skipped_and_the_rest_is_taken_over() {
        let sessions = [json!("a"), json!(7), json!(""), json!(null), json!("a")];
        let found = all(of("u", &sessions));
        assert_eq!(
            details(&found),
            [
                "the session's id must not be empty",
                "the session's id must be text or a whole number",
                "the session is given twice",
            ]
        );
        let Some(Found::User(user)) = found.last() else {
            panic!("{found:?}");
        };
        assert_eq!(user.sessions, ["a", "7"]);

        // A number has one spelling as a name, which a float does not tell.
        let found = all(of("u", &[json!(1.0), json!(1e22)]));
        let why = "the session's id must be text or a whole number";
        assert_eq!(details(&found), [why, why]);

        let long = "x".repeat(129);
        let found = all(of("u", &[json!(long)]));
        assert_eq!(found.len(), 1, "a user of whom nothing is left: {found:?}");
        let found = all(of("", &[json!("a")]));
        assert_eq!(details(&found), ["the user's id must not be empty"]);
        assert_eq!(all(of("u", &[])), [Found::Nothing]);
    }

    #[test]
    fn what_is_too_long_to_be_an_id_is_told_in_part() {
        let long = "\u{fc}".repeat(1_000_000);
        let skips = [
            all(of(&long, &[])),
            all(of("u", &[json!(long)])),
            all(of("u", &[json!([long])])),
        ];
        for skip in skips.iter().flatten() {
            let Found::Skip(skip) = skip else {
                panic!("{skip:?}");
            };
            let told = skip.session_id.as_ref().or(skip.user_id.as_ref()).unwrap();
            assert!(told.len() < 300, "{} bytes", told.len());
            assert!(told.ends_with('\u{2026}'));
        }
        assert_eq!(Place::key(&long).to_string().chars().last(), Some('"'));
        assert!(Place::key(&long).to_string().len() < 300);
        // No id within the bounds is cut.
        let longest = "x".repeat(256);
        assert_eq!(Place::key(&longest), Place::Key(longest));
    }

    #[test]
    fn more_sessions_than_a_user_can_have_are_told_as_a_number() {
        let sessions: Vec<Value> = (0..1_003).map(|id| json!(id)).collect();
        let found = all(of("u", &sessions));
        assert_eq!(
            details(&found),
            ["3 sessions beyond the 1000 that a user can have"]
        );
    }

    #[test]
    fn a_profile_that_is_wrong_is_left_out() {
        let mut raw = of("u", &[json!("a")]);
        raw.profile = vec![("Name", json!(5))];
        let found = all(raw);
        assert_eq!(details(&found), ["the profile's Name must be text"]);
        assert_eq!(found.len(), 2);
        let mut raw = of("u", &[]);
        raw.profile = vec![("Name", json!("Ann"))];
        assert!(matches!(&all(raw)[..], [Found::User(_)]));
    }
}
