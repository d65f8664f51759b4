//! What `streamgate top` shows: the answer of `GET /v1/stats`, on a screen or as plain text.
//!
//! What is *not* here: how the server is reached (`crate::client`).

mod live;
mod plain;
mod screen;
mod stats;

use serde_json::Value;
use ureq::http::Method;

use crate::client::{Client, unexpected};
use crate::exit::Failure;
pub(crate) use live::watch;
pub(crate) use plain::plain;
use stats::Stats;

/// What is asked for: the two minutes that the screen shows.
const PATH: &str = "/v1/stats?window_s=120";

/// The answer of the server as it is.
pub(crate) fn fetch_json(client: &Client) -> Result<Value, Failure> {
    client.call(&Method::GET, PATH, None)
}

/// What the node does.
pub(crate) fn fetch(client: &Client) -> Result<Stats, Failure> {
    let answer = fetch_json(client)?;
    serde_json::from_value(answer).map_err(|_| unexpected(client))
}
