//! JSON bodies of any content type, as the earlier systems read them. A compressed body is refused:
//! only one of the originals read those.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use serde_json::{Map, Number, Value};
use streamgate_core::bounds::BODY_MAX_BYTES;

use crate::problem::ApiError;
use crate::state::App;
use crate::wire::body::{check_encoding, read};

/// Extractor of a body that is a JSON object; anything else is a 400.
#[derive(Debug)]
pub(crate) struct AnyJson(Map<String, Value>);

impl FromRequest<Arc<App>> for AnyJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let encoding = check_encoding(&parts.headers);
        // Held, the head would keep the buffer of the connection from it.
        drop(parts);
        let bytes = read(app, body, BODY_MAX_BYTES).await?;
        if bytes.is_empty() {
            return Err(ApiError::field(
                "body",
                "is missing; it must be a JSON object",
            ));
        }
        encoding?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(ApiError::field("body", "must be a JSON object")),
            // Serde reports it as a syntax error.
            Err(error) if error.to_string().starts_with("number out of range") => Err(
                ApiError::field("body", "has too large a number; send it as text"),
            ),
            Err(error) => Err(ApiError::field(
                "body",
                format!("is not valid JSON: {error}"),
            )),
        }
    }
}

impl AnyJson {
    /// A member of the object; `None` if it is missing or null.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

/// Largest magnitude up to which every whole number has its own `f64`.
const WHOLE_FLOAT_MAX: f64 = 1e15;

/// The canonical form of a whole number: `10`, `10.0` and `1e1` are the same, and `-0` is 0. `None`
/// for a fraction, and for a float too large to tell from its neighbours.
pub(crate) fn whole(number: &Number) -> Option<Number> {
    if !number.is_f64() {
        // Exact: a signed or unsigned integer of 64 bits.
        return Some(number.clone());
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    if float.abs() > WHOLE_FLOAT_MAX {
        return None;
    }
    let whole: i64 = format!("{float:.0}")
        .parse()
        .expect("a whole number up to 10^15 has at most 64 bits");
    Some(whole.into())
}
