//! The user that a call names.

use axum::http::Uri;
use streamgate_core::{UserId, UserKey};

use super::super::{DialectCaller, query};
use super::SessionTracker;
use crate::problem::ApiError;

/// The parameter of the query that names the user.
const FIELD: &str = "user_id";

/// The user that the query names.
pub(super) fn user_of<N>(
    caller: &DialectCaller<SessionTracker, N>,
    uri: &Uri,
) -> Result<UserKey, ApiError> {
    let name = query::single(uri.query(), FIELD)?
        .ok_or_else(|| ApiError::field(FIELD, "must be given and not be empty"))?;
    // The documented bound holds for the text as sent, before zeros are dropped.
    UserId::new(name.as_str()).map_err(|error| ApiError::field(FIELD, error))?;
    caller.user(FIELD, canonical(&name))
}

/// The canonical form of a plain decimal number; any other text unchanged. The original identified
/// users by number, so `001`, `1.0` and `1` are one user. Works on digits, not on values, so that
/// long numbers stay distinct.
#[must_use]
pub fn canonical(name: &str) -> &str {
    let (whole, fraction) = name.split_once('.').unwrap_or((name, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return name;
    }
    let without_zeros = whole.trim_start_matches('0').len();
    // Keep a single zero.
    let from = whole.len() - without_zeros.max(1);
    let to = match fraction.trim_end_matches('0').len() {
        0 => whole.len(),
        digits => whole.len() + 1 + digits,
    };
    &name[from..to]
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn numbers_have_one_spelling_and_texts_stay_as_they_are() {
        for (meant, spellings) in [
            ("1", "1 001 1.0"),
            ("1.5", "01.50"),
            ("0", "0 000 0.0"),
            ("0.1", "00.10"),
            ("10", "10"),
            ("100", "100.0"),
            ("7007", "007007"),
            ("90071992547409931", "90071992547409931"),
        ] {
            for written in spellings.split(' ') {
                assert_eq!(canonical(written), meant, "{written}");
            }
        }
        for text in [
            "", "a1", "1a", "1e3", "0x10", "-1", "1.", ".5", "1.0.0", "1,0", " 1", "٣",
        ] {
            assert_eq!(canonical(text), text);
        }
    }
}
