//! The settings themselves: one section of the file is one module here.
//!
//! Each declares, documents and reads its part, and returns the plain values that the engine, the
//! store or the server take.

pub(crate) mod compat;
pub(crate) mod cors;
pub(crate) mod engine;
mod files;
pub(crate) mod general;
pub(crate) mod http;
pub(crate) mod issuers;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod pages;
pub(crate) mod plans;
pub(crate) mod policy;
pub(crate) mod push;
pub(crate) mod rate_limit;
pub(crate) mod sentry;
pub(crate) mod store;
pub(crate) mod sweep;
pub(crate) mod tls;
pub(crate) mod tokens;
pub(crate) mod traces;
