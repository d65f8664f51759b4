//! `/v1/users/{user_id}/sessions`

mod events;
mod heartbeat;
mod list;
mod start;
mod stop;
