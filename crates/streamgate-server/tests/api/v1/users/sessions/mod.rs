//! `/v1/users/{user_id}/sessions`

mod heartbeat;
mod list;
mod start;
mod stop;
