//! From what a row says to a user within the bounds of ids, and to what is skipped of it and why.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use streamgate_core::bounds::{LIVE_MAX, USER_ID_MAX_BYTES};
use streamgate_core::{Attributes, SessionId, UserId};

use super::{Each, Found, Place, Skip, User};
use crate::exit::Failure;

/// The reason of everything that is skipped here, in the word that the server has for it.
const INVALID: Cow<'static, str> = Cow::Borrowed("invalid");

/// A user as a row says, not yet checked.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) user_id: String,
    /// In the order in which they shall get slots.
    pub(super) sessions: Vec<Value>,
    /// How many sessions there are beside those.
    pub(super) surplus: u64,
    pub(super) profile: Vec<(&'static str, Value)>,
}

/// Gives what can be taken over of a row, after what cannot.
pub(super) fn found(
    at: Place,
    row: Result<Raw, String>,
    each: &mut Each<'_>,
) -> Result<(), Failure> {
    let skip = |user_id: Option<String>, session_id: Option<String>, detail: String| Skip {
        at: at.clone(),
        user_id: user_id.map(cut),
        session_id: session_id.map(cut),
        reason: INVALID,
        detail: cut(detail),
    };
    let raw = match row {
        Ok(raw) => raw,
        Err(why) => return each(Found::Skip(skip(None, None, why))),
    };
    let user_id = raw.user_id;
    if let Err(error) = UserId::new(user_id.as_str()) {
        let detail = format!("the user's id {error}");
        return each(Found::Skip(skip(Some(user_id), None, detail)));
    }
    let mut is_skipped = false;
    let mut give_skip = |session_id, detail| {
        is_skipped = true;
        each(Found::Skip(skip(Some(user_id.clone()), session_id, detail)))
    };
    let (mut sessions, mut seen) = (Vec::new(), HashSet::new());
    let mut surplus = raw.surplus;
    for session in raw.sessions {
        match session_of(&session) {
            Err((session, why)) => give_skip(Some(session), why)?,
            Ok(session) if !seen.insert(session.clone()) => {
                give_skip(Some(session), "the session is given twice".to_owned())?;
            }
            Ok(_) if sessions.len() == LIVE_MAX => surplus += 1,
            Ok(session) => sessions.push(session),
        }
    }
    if surplus > 0 {
        let detail = format!("{surplus} sessions beyond the {LIVE_MAX} that a user can have");
        give_skip(None, detail)?;
    }
    let profile = match profile_of(raw.profile) {
        Ok(profile) => profile,
        Err(why) => {
            give_skip(None, why)?;
            BTreeMap::new()
        }
    };
    if !sessions.is_empty() || !profile.is_empty() {
        return each(Found::User(User {
            at,
            user_id,
            sessions,
            profile,
        }));
    }
    if is_skipped {
        return Ok(());
    }
    each(Found::Nothing)
}

/// The text, without what is beyond the length of the longest id: a report is no place for a file.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > USER_ID_MAX_BYTES {
        text.truncate(text.floor_char_boundary(USER_ID_MAX_BYTES));
        text.shrink_to_fit();
        text.push('\u{2026}');
    }
    text
}

/// The id of a session; else what stands in its place, and what is wrong with it.
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
        let mut all = Vec::new();
        found(Place::Key("k".to_owned()), Ok(raw), &mut |found| {
            all.push(found);
            Ok(())
        })
        .unwrap();
        all
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
