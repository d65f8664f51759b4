//! The wire format that all endpoints share: reading paths, bodies and queries, writing JSON.
//!
//! What is *not* here: what the bytes mean; each endpoint has its own wire types.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod body_bytes;
mod body_pieces;
pub(crate) mod body_turns;
pub(crate) mod double_option;
pub(crate) mod number;
pub(crate) mod object;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod schema;
pub(crate) mod text_map;
pub(crate) mod time;

pub(crate) use answer::{json, no_content, problem};
