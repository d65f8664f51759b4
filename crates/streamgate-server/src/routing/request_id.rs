//! Request ids: the caller's own if it is well formed, else one that is made here.
//!
//! What is *not* here: trace ids, which a caller may send as well
//! ([`crate::telemetry::trace_context`]).

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderName, HeaderValue};

/// The header that carries a request id in and out.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static(NAME);

/// Its name.
pub(crate) const NAME: &str = "x-request-id";

/// Longest id taken from a caller, in bytes.
const MAX_BYTES: usize = 64;

/// The id of a request that came with this one, if with any.
///
/// Ours are a random number of this process and a count: unique, and without a random number for
/// every request.
pub(crate) fn of(sent: Option<&HeaderValue>) -> HeaderValue {
    /// An id of this process, with a count of 0.
    static PROCESS: LazyLock<[u8; 33]> = LazyLock::new(|| {
        let mut id = *b"0000000000000000-0000000000000000";
        put_hex(
            &mut id[..16],
            getrandom::u64().expect("the operating system has random bytes"),
        );
        id
    });
    static COUNT: AtomicU64 = AtomicU64::new(1);

    if let Some(id) = sent.filter(|id| is_well_formed(id)) {
        return id.clone();
    }
    let mut id = *PROCESS;
    put_hex(&mut id[17..], COUNT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_bytes(&id).expect("hexadecimal digits are a header value")
}

/// Writes a number over the end of `out`, which holds zeros. By hand, because this is done for
/// each request and a count has few digits: a library writes all sixteen.
fn put_hex(out: &mut [u8], mut number: u64) {
    let mut digits = out.iter_mut().rev();
    while number > 0 {
        let digit = digits.next().expect("`out` has room for 16 digits");
        *digit = b"0123456789abcdef"[(number % 16) as usize];
        number /= 16;
    }
}

/// 1 to 64 visible ASCII characters: nothing that could break a log line or a header.
fn is_well_formed(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}
