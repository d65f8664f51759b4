//! Whom a call is about.

use axum::http::Uri;
use streamgate_core::{UserId, UserKey};

use super::super::caller::DialectCaller;
use super::super::query;
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
    // Bounded as it is written, as the document says, and not as it is meant: zeros go away.
    UserId::new(name.as_str()).map_err(|error| ApiError::field(FIELD, error))?;
    caller.user(FIELD, canonical(&name))
}

/// A plain decimal number in its one spelling, and any other text as it is. The original knew users
/// by number, so that `001`, `1.0` and `1` are one user. Digits are compared, not values: no two
/// long numbers meet.
#[must_use]
pub fn canonical(name: &str) -> &str {
    let (whole, fraction) = name.split_once('.').unwrap_or((name, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return name;
    }
    let without_zeros = whole.trim_start_matches('0').len();
    // A lone zero stays.
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
        for (written, meant) in [
            ("1", "1"),
            ("001", "1"),
            ("1.0", "1"),
            ("01.50", "1.5"),
            ("0", "0"),
            ("000", "0"),
            ("0.0", "0"),
            ("00.10", "0.1"),
            ("10", "10"),
            ("100.0", "100"),
            ("007007", "7007"),
            ("90071992547409931", "90071992547409931"),
        ] {
            assert_eq!(canonical(written), meant, "{written}");
        }
        for text in [
            "", "a1", "1a", "1e3", "0x10", "-1", "1.", ".5", "1.0.0", "1,0", " 1", "٣",
        ] {
            assert_eq!(canonical(text), text);
        }
    }
}
