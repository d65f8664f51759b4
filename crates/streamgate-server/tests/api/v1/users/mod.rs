//! `/v1/users`

mod delete;
mod events;
mod get;
mod list;
mod put;
mod sessions;
mod tokens;
