//! The caller of a request: its API key, its scope and tenant, its address, its rate, and the web
//! page that may have made a browser send it.

pub(crate) mod access;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod failed_auth;
#[allow(dead_code, reason = "viewer tokens, which come next, read the rest")]
pub(crate) mod grant;
pub(crate) mod keys;
pub(crate) mod rate_limit;
pub(crate) mod trusted_proxies;
