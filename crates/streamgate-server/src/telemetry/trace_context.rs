//! W3C Trace Context: the trace that a request belongs to, as its caller names it.
//!
//! `traceparent` comes in, `traceresponse` goes out, and every line that the request logs has the
//! ids of the trace. `tracestate` is of other systems and is not read: this server calls none.

use std::future::Future;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderName, HeaderValue};

/// The header that names the trace and the caller's part in it.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static(NAME);

/// Its name.
pub(crate) const NAME: &str = "traceparent";

/// State of other tracing systems; only named to browsers, which ask before they send it.
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The header of an answer that names the trace and this server's part in it.
pub(crate) const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Length of the text of version 00: version, trace id, span id and flags with three hyphens.
const TEXT_BYTES: usize = 55;

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

/// A part (span) of a trace: a request, or a call that was made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    /// The part that this one is in: the caller's, if there is a caller.
    parent_id: Option<[u8; 8]>,
    is_recorded: bool,
}

/// The lower-case hexadecimal digits of `N / 2` bytes.
#[derive(Debug, Clone, Copy)]
pub struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Hex<N> {
    fn of(bytes: &[u8]) -> Self {
        let mut digits = [b'0'; N];
        hex::encode_to_slice(bytes, &mut digits).expect("the digits are twice the bytes");
        Self(digits)
    }

    /// The digits as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

impl TraceContext {
    /// The trace that `traceparent` names, with a part of its own for this server, and whether the
    /// caller records it. Text that is not valid names no trace: then the trace begins here.
    pub(crate) fn continued(traceparent: &[u8]) -> (Self, Option<bool>) {
        let Some((trace_id, parent_id, flags)) = parse(traceparent) else {
            return (Self::begun(), None);
        };
        let trace = Self {
            trace_id,
            span_id: new_span_id(),
            parent_id: Some(parent_id),
            is_recorded: false,
        };
        (trace, Some(flags & SAMPLED != 0))
    }

    /// A trace that begins with this request.
    pub(crate) fn begun() -> Self {
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&new_span_id());
        trace_id[8..].copy_from_slice(&new_span_id());
        Self {
            trace_id,
            span_id: new_span_id(),
            parent_id: None,
            is_recorded: false,
        }
    }

    /// The same, recorded or not.
    #[must_use]
    pub(crate) fn recorded(self, is_recorded: bool) -> Self {
        Self {
            is_recorded,
            ..self
        }
    }

    /// A part of this part.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: new_span_id(),
            parent_id: Some(self.span_id),
            ..*self
        }
    }

    /// Whether spans of the trace are exported by this server.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// The id of the trace, in bytes.
    #[must_use]
    pub fn trace_id_bytes(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The id of this part, in bytes.
    #[must_use]
    pub fn span_id_bytes(&self) -> [u8; 8] {
        self.span_id
    }

    /// The id of the part that this one is in, in bytes.
    #[must_use]
    pub fn parent_id_bytes(&self) -> Option<[u8; 8]> {
        self.parent_id
    }

    /// The id of the trace: 32 digits.
    #[must_use]
    pub fn trace_id(&self) -> Hex<32> {
        Hex::of(&self.trace_id)
    }

    /// The id of this server's part: 16 digits.
    #[must_use]
    pub fn span_id(&self) -> Hex<16> {
        Hex::of(&self.span_id)
    }

    /// `traceresponse`: 55 bytes, whatever came in. Its flag is whether this server records.
    pub(crate) fn response_header(&self) -> HeaderValue {
        let (trace_id, span_id) = (self.trace_id(), self.span_id());
        let flags = u8::from(self.is_recorded);
        let text = format!("00-{}-{}-{flags:02x}", trace_id.as_str(), span_id.as_str());
        HeaderValue::try_from(text).expect("hexadecimal digits and hyphens are a header value")
    }
}

tokio::task_local! {
    /// The trace of the request that the task answers; not set for requests without one.
    static CURRENT: TraceContext;
}

/// The trace of the request that is being answered, if it has one.
#[must_use]
pub(crate) fn current() -> Option<TraceContext> {
    CURRENT.try_with(|trace| *trace).ok()
}

/// Runs a future whose lines belong to this trace.
pub(crate) async fn within<F: Future>(trace: TraceContext, future: F) -> F::Output {
    CURRENT.scope(trace, future).await
}

/// The same for code that does not wait.
pub(crate) fn within_sync<T>(trace: Option<TraceContext>, run: impl FnOnce() -> T) -> T {
    match trace {
        Some(trace) => CURRENT.sync_scope(trace, run),
        None => run(),
    }
}

/// Trace id, span id and flags of a `traceparent`. Of a version above 00 the same fields are read,
/// and what follows them is not.
fn parse(text: &[u8]) -> Option<([u8; 16], [u8; 8], u8)> {
    let (known, rest) = text.split_at_checked(TEXT_BYTES)?;
    let version = byte(&known[..2])?;
    let has_form = [2, 35, 52].iter().all(|&at| known[at] == b'-');
    let is_whole = rest.is_empty() || (version > 0 && rest[0] == b'-');
    if !has_form || !is_whole || version == 0xff {
        return None;
    }
    let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
    decode(&known[3..35], &mut trace_id)?;
    decode(&known[36..52], &mut span_id)?;
    let flags = byte(&known[53..])?;
    let is_set = trace_id != [0; 16] && span_id != [0; 8];
    is_set.then_some((trace_id, span_id, flags))
}

fn byte(digits: &[u8]) -> Option<u8> {
    let mut byte = [0];
    decode(digits, &mut byte)?;
    Some(byte[0])
}

/// Decodes lower-case hexadecimal digits; the specification allows no others.
fn decode(digits: &[u8], bytes: &mut [u8]) -> Option<()> {
    if digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    hex::decode_to_slice(digits, bytes).ok()
}

/// An id of a span, unique and evenly distributed: SplitMix64, from a random number of this
/// process. It need not be unpredictable.
fn new_span_id() -> [u8; 8] {
    static STATE: LazyLock<AtomicU64> = LazyLock::new(|| {
        AtomicU64::new(getrandom::u64().expect("the operating system has random bytes"))
    });
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // Only one state gives 0, which would mean "no span".
    (z ^ (z >> 31)).max(1).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_traceparent_is_continued_with_a_span_of_its_own() {
        let (trace, caller_records) = TraceContext::continued(VALID.as_bytes());
        assert_eq!(
            trace.trace_id().as_str(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(
            trace.parent_id,
            Some(0x00f0_67aa_0ba9_02b7_u64.to_be_bytes())
        );
        assert_eq!(caller_records, Some(true));
        let answer = trace.response_header();
        let answer = answer.to_str().unwrap();
        assert_eq!((&answer[..36], &answer[52..]), (&VALID[..36], "-00"));
        assert_ne!(&answer[36..52], &VALID[36..52]);
        let recorded = trace.recorded(true);
        assert!(
            recorded
                .response_header()
                .to_str()
                .unwrap()
                .ends_with("-01")
        );
        let unsampled = VALID.replace("-01", "-00");
        let (_, caller_records) = TraceContext::continued(unsampled.as_bytes());
        assert_eq!(caller_records, Some(false));
        let child = recorded.child();
        assert_eq!(child.trace_id_bytes(), trace.trace_id_bytes());
        assert_eq!(child.parent_id_bytes(), Some(trace.span_id_bytes()));
        assert!(child.is_recorded() && child.span_id_bytes() != trace.span_id_bytes());
    }

    #[test]
    fn of_a_later_version_the_known_part_is_read() {
        for text in [
            VALID.replace("00-4", "01-4"),
            VALID.replace("00-4", "fe-4") + "-more",
        ] {
            let (trace, _) = TraceContext::continued(text.as_bytes());
            assert!(trace.parent_id.is_some(), "{text}");
        }
    }

    #[test]
    fn an_invalid_traceparent_is_replaced() {
        for text in [
            String::new(),
            VALID[..54].to_owned(),
            VALID.to_owned() + "-more",
            VALID.to_owned() + "0",
            VALID.replace("00-4", "01-4") + "more",
            VALID.replace("00-4", "ff-4"),
            VALID.to_uppercase(),
            VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            VALID.replace("00f067aa0ba902b7", &"0".repeat(16)),
            VALID.replace("-01", "-0g"),
            VALID.replace('-', "_"),
            VALID.replace("4bf", "4b "),
        ] {
            let (trace, caller_records) = TraceContext::continued(text.as_bytes());
            assert_eq!((trace.parent_id, caller_records), (None, None), "{text}");
            assert_ne!(trace.trace_id().as_str(), &VALID[3..35], "{text}");
            assert_eq!(trace.response_header().len(), TEXT_BYTES);
        }
    }

    #[test]
    fn ids_of_spans_differ() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| new_span_id()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
