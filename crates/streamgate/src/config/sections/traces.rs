//! `[traces]`: where traces go, and which requests are recorded.

use crate::config::reader::{Ask, Reader};
use crate::config::value::quoted;

/// The settings of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Traces {
    /// The URL of the collector; `None` for no traces.
    pub(crate) endpoint: Option<String>,
    /// Headers of each request to it.
    pub(crate) headers: Vec<(String, String)>,
    /// Sampling rate: one request in this many is recorded; 0 for none.
    pub(crate) one_in: u32,
    /// Whether the flag of `traceparent` decides.
    pub(crate) trusts_callers: bool,
}

/// The sampling rate, unless set.
const ONE_IN_DEFAULT: u32 = 1_000;

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> Traces {
    reader.section(
        "[traces]",
        "Traces to an OpenTelemetry collector (OTLP over HTTP), in a build that has them. They \
         name no user and no session.",
    );
    let endpoint = Ask(
        "endpoint",
        "The URL that takes traces, with its path: \"http://collector:4318/v1/traces\". Unset: no \
         traces.",
    );
    let one_in = Ask(
        "one_in",
        "Sampling rate: one request in N is recorded. 0: none but those that callers record, see \
         trust_traceparent.",
    );
    let trust_traceparent = Ask(
        "trust_traceparent",
        "Whether a request with a valid traceparent is recorded exactly if its caller records it. \
         Set it where callers are your own servers: players could have each of their calls \
         recorded.",
    );
    let endpoint = reader.text_or_none(endpoint, "URL", check_endpoint);
    let one_in = reader.whole(one_in, ONE_IN_DEFAULT, 0..=1_000_000_000);
    Traces {
        endpoint,
        headers: read_headers(reader),
        one_in,
        trusts_callers: reader.flag(trust_traceparent, false),
    }
}

/// Headers, which can hold a key: only their names are shown.
fn read_headers(reader: &mut Reader) -> Vec<(String, String)> {
    let headers = Ask(
        "headers",
        "Headers of each request to the collector, such as a key: [\"authorization: Bearer KEY\"]. \
         Best given by the environment, where commas separate them.",
    );
    let show = |headers: &Vec<(String, String)>| {
        let names = headers
            .iter()
            .map(|(name, _)| quoted(&format!("{name}: ***")));
        format!("[{}]", names.collect::<Vec<_>>().join(", "))
    };
    let takes = "list of headers".to_owned();
    let read = reader.read(headers, takes, Some(Vec::new()), show, |value| {
        value.texts()?.iter().map(|text| header(text)).collect()
    });
    read.unwrap_or_default()
}

/// A header of the form `name: value`. No error repeats the value.
fn header(text: &str) -> Result<(String, String), String> {
    let wrong = || "must be headers of the form \"name: value\"".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let (name, value) = (name.trim(), value.trim());
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_text = |c: char| c == ' ' || c.is_ascii_graphic();
    if name.is_empty() || !name.chars().all(is_token) || !value.chars().all(is_text) {
        return Err(wrong());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Empty text is no endpoint.
fn check_endpoint(url: &str) -> Result<(), String> {
    if url.is_empty() {
        return Ok(());
    }
    if !cfg!(feature = "otlp") {
        return Err("needs a build that has traces: cargo build --features otlp".to_owned());
    }
    let behind_scheme = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    match behind_scheme.and_then(|it| it.split_once('/')) {
        Some((host, _)) if !host.is_empty() && !host.contains('@') => Ok(()),
        _ => Err(format!(
            "must be a URL such as \"http://collector:4318/v1/traces\", with its path and without \
             a password, is {}",
            quoted(url)
        )),
    }
}
