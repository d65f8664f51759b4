//! `/v1/users`

mod delete;
mod events;
mod get;
mod list;
mod put;
mod refusals;
mod sessions;
mod tokens;
