//! Query strings: `cursor` and `page_size` of lists, flags; any other parameter is an error.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use streamgate_core::admission::Place;
use streamgate_core::bounds::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use streamgate_core::{SessionId, Timestamp};
use streamgate_engine::PageCursor;
use utoipa::IntoParams;

use crate::problem::{ApiError, FieldErrors};

/// The position of a page in a list, as bytes that are opaque to clients.
pub(crate) trait WireCursor: Sized {
    /// The cursor as bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// Parses them; `None` if they are no cursor of this kind of list.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl WireCursor for PageCursor {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(bytes).ok()
    }
}

/// The first byte of an encoded [`Place`]; no [`PageCursor`] begins with it.
const PLACE: u8 = 2;

/// Bytes of the start time in an encoded [`Place`]: milliseconds, big-endian.
const START_BYTES: usize = 6;

/// Layout: the byte [`PLACE`], the start time, the id if there is one.
impl WireCursor for Place {
    fn to_bytes(&self) -> Vec<u8> {
        let time = self.started_at.as_millis().to_be_bytes();
        let mut bytes = vec![PLACE];
        bytes.extend_from_slice(&time[time.len() - START_BYTES..]);
        if let Some(id) = &self.id {
            id.with_str(|text| bytes.extend_from_slice(text.as_bytes()));
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(&[PLACE])?;
        let (start, id) = bytes.split_first_chunk::<START_BYTES>()?;
        let mut time = [0; size_of::<u64>()];
        let skipped = time.len() - START_BYTES;
        time[skipped..].copy_from_slice(start);
        let id = match std::str::from_utf8(id).ok()? {
            "" => None,
            text => Some(SessionId::new(text).ok()?),
        };
        Some(Self {
            started_at: Timestamp::from_millis(u64::from_be_bytes(time)),
            id,
        })
    }
}

/// The page of a list that a request asks for, of at most `SIZE_MAX` entries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PageQuery<C = PageCursor, const SIZE_MAX: usize = PAGE_SIZE_MAX> {
    /// Where the page begins; `None` for the first.
    pub(crate) from: Option<C>,
    /// Most entries of the page.
    pub(crate) page_size: usize,
}

/// [`PageQuery`] for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct PageParams {
    /// `next_cursor` of the page before; left out for the first page.
    #[param(max_length = 1024, pattern = "^[A-Za-z0-9_-]+$", value_type = Option<String>)]
    #[param(required = false)]
    cursor: Option<String>,
    /// Most entries of the page. A page may have fewer although more follow.
    #[param(minimum = 1, maximum = 1000, default = 100, required = false)]
    page_size: Option<u32>,
}

/// A cursor as clients see it: base64url.
pub(crate) fn cursor_text(cursor: &impl WireCursor) -> String {
    URL_SAFE_NO_PAD.encode(cursor.to_bytes())
}

impl<S: Sync, C: WireCursor, const SIZE_MAX: usize> FromRequestParts<S> for PageQuery<C, SIZE_MAX> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl<C: WireCursor, const SIZE_MAX: usize> PageQuery<C, SIZE_MAX> {
    /// Parses a query string.
    fn parse(query: &str) -> Result<Self, ApiError> {
        let mut errors = FieldErrors::default();
        let [cursor, page_size] = parameters(query, ["cursor", "page_size"], &mut errors);
        let from = cursor.and_then(|text| errors.check("cursor", parse_cursor(&text)));
        let page_size = page_size.map_or(Some(PAGE_SIZE_DEFAULT), |text| {
            errors.check("page_size", whole_number(&text, 1..=SIZE_MAX))
        });
        errors.finish()?;
        Ok(Self {
            from,
            page_size: page_size.unwrap_or(PAGE_SIZE_DEFAULT),
        })
    }
}

/// The values of these parameters of a query string, as far as they are given. Unknown and repeated
/// ones are errors: otherwise a misspelt `page_size` would silently mean the default.
pub(crate) fn parameters<'a, const N: usize>(
    query: &'a str,
    names: [&str; N],
    errors: &mut FieldErrors,
) -> [Option<Cow<'a, str>>; N] {
    let mut values = [const { None }; N];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        let Some(at) = names.iter().position(|known| *known == name) else {
            errors.add(name, "unknown parameter");
            continue;
        };
        let value = percent_decode_str(value).decode_utf8_lossy();
        if values[at].replace(value).is_some() {
            errors.add(name, "is given twice");
        }
    }
    values
}

/// A parameter of this name that is `true` or `false`, and no other parameter; false if there is
/// none.
///
/// # Errors
/// 400 `invalid_request`.
pub(crate) fn flag(uri: &Uri, name: &str) -> Result<bool, ApiError> {
    let mut errors = FieldErrors::default();
    let [flag] = parameters(uri.query().unwrap_or_default(), [name], &mut errors);
    let flag = match flag.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            errors.add(name, "must be true or false");
            false
        }
    };
    errors.finish()?;
    Ok(flag)
}

/// Checks that there is no parameter.
///
/// # Errors
/// 400 `invalid_request`.
pub(crate) fn no_parameters(uri: &Uri) -> Result<(), ApiError> {
    let mut errors = FieldErrors::default();
    let [] = parameters(uri.query().unwrap_or_default(), [], &mut errors);
    errors.finish()
}

/// Parses a cursor. Its tenant does not matter: the page is looked up in the tenant of the caller.
fn parse_cursor<C: WireCursor>(text: &str) -> Result<C, &'static str> {
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| C::from_bytes(&bytes))
        .ok_or("was not made by this service")
}

/// A number within these bounds. Digits only: no sign, no space, no exponent.
///
/// # Errors
/// What it must be.
pub(crate) fn whole_number<T>(text: &str, bounds: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    Some(text)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| {
            let (least, most) = (bounds.start(), bounds.end());
            format!("must be a whole number from {least} to {most}")
        })
}
