//! What is wrong with the fields of a request.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiError, Code};

/// Most bytes of a request that an error repeats.
const ECHO_MAX_BYTES: usize = 160;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The field: a member of the body (`terminate[3]`), a parameter of the path or the query, or
    /// `body` for the body as a whole.
    #[schema(example = "device_id")]
    pub(crate) field: String,
    /// What is wrong with it.
    #[schema(example = "must not be empty")]
    pub(crate) message: String,
}

/// All invalid fields of a request, reported together.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Adds an error.
    pub(crate) fn add(&mut self, field: impl Into<String>, message: impl fmt::Display) {
        self.0.push(FieldError {
            field: shortened(field.into()),
            message: shortened(message.to_string()),
        });
    }

    /// The value; otherwise `None`, and the error is added.
    pub(crate) fn check<T, E: fmt::Display>(
        &mut self,
        field: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(field, error)).ok()
    }

    /// A sentence with the first error and the number of others.
    pub(crate) fn sentence(&self) -> String {
        let Some(FieldError { field, message }) = self.0.first() else {
            return String::new();
        };
        match self.0.len() {
            1 => format!("{field} {message}"),
            len => format!("{field} {message}; and {} more", len - 1),
        }
    }

    /// Fails if an error was added.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(self.into())
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        let mut error = Self::new(Code::InvalidRequest, errors.sentence());
        error.0.problem.errors = errors.0;
        error
    }
}

/// The text, truncated to a length that an error may repeat.
pub(crate) fn shortened(mut text: String) -> String {
    if text.len() > ECHO_MAX_BYTES {
        text.truncate(text.floor_char_boundary(ECHO_MAX_BYTES));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_said_is_repeated_in_part_only() {
        let long = "ü".repeat(10_000);
        let error = ApiError::field(long.clone(), long);
        let problem = &error.0.problem;
        assert!(problem.detail.len() < 400, "{}", problem.detail);
        assert!(problem.errors[0].field.ends_with("ü…"));
    }
}
