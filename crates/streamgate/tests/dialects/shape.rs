//! The shape of an error in each dialect, the same for every mistake.

use serde_json::Value;
use streamgate_testkit::Answer;

use crate::dialects::dialect::Dialect;

/// Whether an answer is an error in the shape of the dialect; `Err` says what is wrong with it.
pub(crate) fn check(dialect: Dialect, answer: &Answer) -> Result<(), String> {
    let body: Option<Value> = serde_json::from_str(&answer.text).ok();
    let kind = answer.header("content-type");
    let is_right = match dialect {
        Dialect::SessionTracker => kind == JSON && body.as_ref().is_some_and(is_message),
        // Some of its errors are bare text, also under this content type, as they were recorded.
        Dialect::ConcurrencyService => {
            kind == JSON
                && match &body {
                    Some(body) => is_message(body),
                    None => !answer.text.is_empty(),
                }
        }
        Dialect::StreamLog => kind == JSON && body.is_some_and(|body| is_log(&body, answer.status)),
        Dialect::UserStreams => {
            kind == JSON
                && answer.header("access-control-allow-origin") == "*"
                && answer.header("access-control-allow-credentials") == "true"
                && body.is_some_and(|body| is_loopback(&body, answer.status))
        }
        Dialect::StreamRequests => {
            let is_text = kind == "text/plain; charset=utf-8" || kind == "text/html; charset=utf-8";
            is_text && !answer.text.is_empty() && !answer.text.starts_with(['{', '<'])
        }
    };
    match is_right {
        true => Ok(()),
        false => Err(format!("no error of {}: {answer:?}", dialect.name())),
    }
}

const JSON: &str = "application/json; charset=utf-8";

/// The members of an object, in order of their names.
fn members(value: &Value) -> Vec<&str> {
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, _)| name.as_str()).collect()
}

fn is_words(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// `{"message":"…"}`
fn is_message(body: &Value) -> bool {
    members(body) == ["message"] && is_words(&body["message"])
}

/// `{"statusCode":N,"message":{"error":"…"}}`
fn is_log(body: &Value, status: u16) -> bool {
    members(body) == ["message", "statusCode"]
        && body["statusCode"] == status
        && members(&body["message"]) == ["error"]
        && is_words(&body["message"]["error"])
}

/// `{"error":{"statusCode":N,"name":"…","message":"…"}}`; a `code` may follow.
fn is_loopback(body: &Value, status: u16) -> bool {
    let error = &body["error"];
    let mut names = members(error);
    names.retain(|name| *name != "code");
    members(body) == ["error"]
        && names == ["message", "name", "statusCode"]
        && error["statusCode"] == status
        && is_words(&error["name"])
        && is_words(&error["message"])
}
