//! `/v1/users`

mod delete;
mod get;
mod list;
mod put;
mod sessions;
mod tokens;
