//! Why a request failed, in words for an operator: what, of which table, where. Never credentials.

use std::error::Error;
use std::fmt;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::item::Item;
use crate::table::Table;

/// Codes of throttling, after all retries.
const THROTTLED: [&str; 4] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "LimitExceededException",
];

/// The codes whose messages tell an operator what to do. Those of others are left out: one about a
/// wrong signature repeats the headers that were signed, the session token among them.
const WITH_MESSAGE: [&str; 3] = [
    "AccessDeniedException",
    "ResourceInUseException",
    "ValidationException",
];

/// Codes of refusals that stay until an operator changes the table, the credentials or their
/// permissions.
const PERMANENT: [&str; 9] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
];

/// How a request failed.
#[derive(Debug)]
pub(crate) struct Failed {
    words: String,
    /// DynamoDB would answer the same again until an operator changes something.
    pub(crate) is_permanent: bool,
}

/// Why a write did not succeed.
pub(crate) enum NotWritten {
    /// The condition did not hold: this item is there, or none.
    Condition(Option<Item>),
    /// Anything else.
    Failed(Failed),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Table {
    /// Describes a failed request to this table.
    pub(crate) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> Failed
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        Failed {
            words: format!("{}: {}", self.place(), reason(error)),
            is_permanent: error.code().is_some_and(|code| PERMANENT.contains(&code)),
        }
    }
}

fn reason<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(refusal) => {
            let status = refusal.raw().status().as_u16();
            refused(refusal.err().code(), refusal.err().message(), status)
        }
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            format!("an answer that cannot be read (status {status})")
        }
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            "no answer in time".to_owned()
        }
        other => format!("no answer: {}", chain(other)),
    }
}

fn refused(code: Option<&str>, message: Option<&str>, status: u16) -> String {
    match (code, message) {
        (Some(code), _) if THROTTLED.contains(&code) => format!("throttled ({code})"),
        (Some("ResourceNotFoundException"), _) => {
            "there is no such table (ResourceNotFoundException)".to_owned()
        }
        (Some(code), Some(message)) if WITH_MESSAGE.contains(&code) => {
            format!("refused ({code}): {message}")
        }
        (Some(code), _) => format!("refused ({code}, status {status})"),
        (None, _) => format!("refused (status {status})"),
    }
}

/// The causes of an error, outermost first.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let words: Vec<String> = causes.map(ToString::to_string).collect();
    words.join(": ")
}
