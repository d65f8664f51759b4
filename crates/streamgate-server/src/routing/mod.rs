//! From a request to its endpoint: the fast path, the layers around every route, and the answers to
//! requests that no endpoint takes.
//!
//! What is *not* here: the list of endpoints ([`crate::app`]), and what they do ([`crate::v1`]).

mod cors;
pub(crate) mod fallback;
pub(crate) mod fast_path;
pub(crate) mod layers;
pub(crate) mod observe;
pub(crate) mod request_id;
pub(crate) mod session_call;
