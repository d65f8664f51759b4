//! The caller of a request: its API key or viewer token, its scope and tenant, its address, its
//! rate, and the web page that may have made a browser send it.

pub(crate) mod access;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod failed_auth;
pub(crate) mod grant;
pub(crate) mod keys;
pub(crate) mod rate_limit;
pub(crate) mod stream_credential;
pub(crate) mod tokens;
pub(crate) mod trusted_proxies;
