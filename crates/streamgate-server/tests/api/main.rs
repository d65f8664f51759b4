//! The API over the router, on a memory store and a clock that stands still: every status and every
//! code of every endpoint. One module is one endpoint, at the path of its URL.
//!
//! What is *not* here: rules of the limit (the core's tests) and durability (the store's).

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows tests by their attribute, not the helpers that they share"
)]

mod access;
mod addresses;
mod audit;
mod bodies;
mod browsers;
mod clocks;
mod compat;
mod cors;
mod ecs;
mod failed_users;
mod fast_path;
mod hang_up;
mod heads;
mod logs;
mod marks;
mod matrix;
mod ops;
mod rate_limit;
mod request_ids;
mod serve;
mod site;
mod stopping;
mod streams;
mod support;
mod tls;
mod tokens;
mod trace_context;
mod v1;
mod well_known;
