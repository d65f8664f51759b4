//! The answer to an event, in the payload format of the event.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use ureq::http::{HeaderMap, Response};

use super::event::{EventError, Format};

/// Longest answer that Lambda takes.
pub(super) const ANSWER_MAX_BYTES: usize = 6 * 1024 * 1024;

/// An answer in either format.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    body: String,
    is_base64_encoded: bool,
}

/// The answer as JSON.
///
/// # Errors
/// It is longer than Lambda takes.
pub(super) fn encode(format: Format, response: Response<Vec<u8>>) -> Result<Vec<u8>, EventError> {
    let (head, body) = response.into_parts();
    let (body, is_base64_encoded) = match String::from_utf8(body) {
        Ok(text) => (text, false),
        Err(bytes) => (STANDARD.encode(bytes.as_bytes()), true),
    };
    let values = values(&head.headers);
    let (headers, multi_value_headers) = match format {
        Format::V1 => (None, Some(values)),
        Format::V2 => {
            let joined = values
                .into_iter()
                .map(|(name, values)| (name, values.join(", ")));
            (Some(joined.collect()), None)
        }
    };
    let payload = Payload {
        status_code: head.status.as_u16(),
        headers,
        multi_value_headers,
        body,
        is_base64_encoded,
    };
    let json = serde_json::to_vec(&payload).expect("texts and numbers are JSON");
    if json.len() > ANSWER_MAX_BYTES {
        return Err(EventError::AnswerTooLong(json.len()));
    }
    Ok(json)
}

/// The values of each header, in their order.
fn values(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        values.entry(name.to_string()).or_default().push(value);
    }
    values
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn response(body: &[u8]) -> Response<Vec<u8>> {
        Response::builder()
            .status(409)
            .header("vary", "origin")
            .header("vary", "accept")
            .header("x-request-id", "r")
            .body(body.to_vec())
            .unwrap()
    }

    fn encoded(format: Format, body: &[u8]) -> Value {
        serde_json::from_slice(&encode(format, response(body)).unwrap()).unwrap()
    }

    #[test]
    fn an_answer_has_the_headers_of_its_format() {
        assert_eq!(
            encoded(Format::V2, b"{}"),
            json!({
                "statusCode": 409,
                "headers": { "vary": "origin, accept", "x-request-id": "r" },
                "body": "{}",
                "isBase64Encoded": false,
            })
        );
        assert_eq!(
            encoded(Format::V1, b"{}")["multiValueHeaders"],
            json!({ "vary": ["origin", "accept"], "x-request-id": ["r"] })
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let answer = encoded(Format::V2, &[0xff, 0x00]);
        assert_eq!(answer["body"], "/wA=");
        assert_eq!(answer["isBase64Encoded"], true);
    }

    #[test]
    fn an_answer_beyond_the_limit_of_lambda_is_an_error() {
        let long = vec![b'x'; ANSWER_MAX_BYTES];
        let error = encode(Format::V1, response(&long)).unwrap_err();
        assert_eq!(error.kind(), "Streamgate.AnswerTooLong");
    }
}
