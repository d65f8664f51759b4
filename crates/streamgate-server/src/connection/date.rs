//! The `Date` header of answers.
//!
//! hyper's own is cached until its time has passed: after the wall clock is set back, it stays in
//! the future. That is why this module exists. hyper makes its own all the same, and panics if that
//! is before 1970: hence [`prepare_thread`].

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, UNIX_EPOCH};

use axum::http::{HeaderValue, Request, Response};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use streamgate_clock::wall_ms;
use streamgate_core::bounds::TIMESTAMP_MAX_MS;

/// The last second of the year 9999: a date has four digits for the year.
const SECOND_MAX: u64 = TIMESTAMP_MAX_MS / 1_000;

thread_local! {
    /// The text of the current second: each thread formats it once a second.
    static WRITTEN: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// The date now; `None` if the wall clock is before 1970 or after 9999.
pub(crate) fn now() -> Option<HeaderValue> {
    let second = u64::try_from(wall_ms()).ok()? / 1_000;
    WRITTEN.with_borrow_mut(|written| match written {
        Some((of, date)) if *of == second => Some(date.clone()),
        _ => {
            let date = date_of(second)?;
            *written = Some((second, date.clone()));
            Some(date)
        }
    })
}

/// Has hyper make its own date on this thread now, rather than with the first connection that the
/// thread serves. It is not renewed while the wall clock is behind it, so a clock that is set before
/// 1970 later breaks no connection. Call it on each thread that serves, as it starts.
pub fn prepare_thread() {
    if wall_ms() < 0 {
        return;
    }
    let never = service_fn(|_: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let ended = TokioIo::new(tokio::io::empty());
    let mut protocol = http1::Builder::new();
    let connection = protocol
        .header_read_timeout(None)
        .serve_connection(ended, never);
    // It ends at once, because nothing comes.
    let _ = pin!(connection).poll(&mut Context::from_waker(Waker::noop()));
}

fn date_of(second: u64) -> Option<HeaderValue> {
    if second > SECOND_MAX {
        return None;
    }
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_form_of_http_from_1970_to_9999() {
        for (second, text) in [
            (0, Some("Thu, 01 Jan 1970 00:00:00 GMT")),
            (1_795_242_600, Some("Sat, 21 Nov 2026 06:30:00 GMT")),
            (SECOND_MAX, Some("Fri, 31 Dec 9999 23:59:59 GMT")),
            (SECOND_MAX + 1, None),
        ] {
            let date = date_of(second);
            assert_eq!(date.as_ref().map(|date| date.to_str().unwrap()), text);
        }
    }

    #[test]
    fn the_date_is_that_of_the_wall_clock() {
        let before = wall_ms() / 1_000;
        let date = now().expect("the machine's clock is of this century");
        let date = httpdate::parse_http_date(date.to_str().unwrap()).unwrap();
        let second = date.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!((before..=wall_ms() / 1_000).contains(&second.try_into().unwrap()));
    }
}
