//! Version 1 of the API. One endpoint is one file, at the path of its URL.
//!
//! What is *not* here: what a refusal means or when a lease is over; endpoints translate between
//! HTTP and the engine and decide nothing.

mod batch;
mod heartbeats;
mod import;
mod session;
mod sessions;
mod users;

use std::sync::Arc;

use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::state::App;

/// The calls that players make all the time, for [`crate::routing::fast_path`].
pub(crate) mod sessions_of_user {
    pub(crate) use super::users::sessions::heartbeat::renew;
    pub(crate) use super::users::sessions::start::put::start_named;
    pub(crate) use super::users::sessions::stop::stop;
}

/// Every path with its methods, in the order of the document.
pub(crate) fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
    vec![
        routes!(
            users::sessions::start::post::start_session,
            users::sessions::list::list_sessions_of_user
        ),
        routes!(
            users::sessions::start::put::start_named_session,
            users::sessions::stop::stop_session
        ),
        routes!(users::sessions::heartbeat::heartbeat),
        routes!(users::sessions::stop::stop_session_by_post),
        routes!(
            users::get::get_user,
            users::put::set_user,
            users::delete::erase_user
        ),
        routes!(users::list::list_users),
        routes!(sessions::list_sessions),
        routes!(heartbeats::heartbeat_batch),
        routes!(import::import_users),
    ]
}
