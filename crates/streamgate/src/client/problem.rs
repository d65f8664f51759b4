//! Why a call failed, and what to do about it.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Answer, REFUSED, printable, text_of};
use crate::exit::{Code, Failure};

/// The server cannot be reached, or the connection broke.
pub(super) fn unreachable(url: &str, error: &ureq::Error) -> Failure {
    if let ureq::Error::BadUri(why) = error {
        return Failure::new(Code::Usage, format!("{url:?} is no usable URL: {why}"))
            .hint("give the server's address as in --url http://127.0.0.1:8080");
    }
    let failure = Failure::new(
        Code::Unreachable,
        format!("no answer from the server at {url}: {error}"),
    );
    if let Some(hint) = of_tls(error) {
        return failure.hint(hint);
    }
    failure.hint("is it running? start one with `streamgate serve`, or name another with --url")
}

/// What to do about an error of TLS; `None` if it is another error.
fn of_tls(error: &ureq::Error) -> Option<&'static str> {
    let of_tls = match error {
        ureq::Error::Rustls(of_tls) => of_tls,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
        _ => return None,
    };
    match of_tls {
        rustls::Error::InvalidCertificate(_) => Some(
            "name the authority of its certificate with --ca-file or STREAMGATE_CA_FILE, and the \
             server as the certificate names it",
        ),
        rustls::Error::AlertReceived(_) => Some(
            "if the server asks for a certificate, give one with --client-cert-file and \
             --client-key-file",
        ),
        rustls::Error::InvalidMessage(_) => Some("does it speak TLS? else use http"),
        _ => None,
    }
}

/// The URL or the key cannot stand in a request.
pub(super) fn unusable(url: &str, error: &ureq::http::Error) -> Failure {
    Failure::new(
        Code::Usage,
        format!("the URL {url:?} or the key cannot be sent: {error}"),
    )
    .hint("give the server's address as in --url http://127.0.0.1:8080")
}

/// The answer is not that of a Streamgate server.
pub(super) fn not_ours(url: &str) -> Failure {
    Failure::new(
        REFUSED,
        format!("what answers at {url} does not look like a Streamgate server"),
    )
    .hint("name the server with --url or STREAMGATE_URL")
}

/// The server refused.
pub(super) fn refusal(answer: &Answer, url: &str) -> Failure {
    let (status, body) = (answer.status, &answer.body);
    let code = printable(text_of(body, "code"));
    if code.is_empty() {
        return not_ours(url);
    }
    let detail = match text_of(body, "detail") {
        "" => text_of(body, "title"),
        detail => detail,
    };
    let detail = printable(detail);
    let mut message = format!("{detail} ({code}, HTTP {status})");
    for error in body
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let (field, what) = (text_of(error, "field"), text_of(error, "message"));
        let (field, what) = (printable(field), printable(what));
        // Writing to a String cannot fail.
        let _ = write!(message, "\n  {field}: {what}");
    }
    let failure = Failure::new(REFUSED, message);
    match status {
        401 => failure.hint(
            "the server asks for an API key: give it with --key or STREAMGATE_KEY; \
             `streamgate key new` makes one",
        ),
        403 => failure.hint("this key may not do that: use one of scope service or admin"),
        503 => failure.hint("the server's store is not available; its log says why"),
        _ => failure,
    }
}
