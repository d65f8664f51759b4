//! The caller of a request: its API key, its scope and tenant, its rate, and the web page that may
//! have made a browser send it.

pub(crate) mod access;
pub(crate) mod browser;
pub(crate) mod keys;
pub(crate) mod rate_limit;
