//! Version 1 of the API. One endpoint is one file, at the path of its URL.
//!
//! What is *not* here: decisions. Endpoints translate between HTTP and the engine.

mod batch;
mod events;
mod heartbeats;
mod import;
mod node;
mod refusals;
mod session;
mod sessions;
mod stats;
mod stream_events;
mod users;

use std::sync::Arc;

use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::state::App;

pub(crate) use node::introduce;
pub(crate) use stream_events::event_schemas;

/// The handlers of calls about one session. [`crate::routing::fast_path`] runs them as well, but for
/// the stop by POST.
pub(crate) mod session_calls {
    pub(crate) use super::users::sessions::heartbeat::heartbeat;
    pub(crate) use super::users::sessions::start::put::start_named_session;
    pub(crate) use super::users::sessions::stop::{stop_session, stop_session_by_post};
}

/// The same handlers as axum takes them, each with its documentation, for `routes!`.
mod routed {
    use std::sync::Arc;

    use axum::extract::State;
    use axum::response::Response;

    use super::session_calls;
    use crate::problem::ApiError;
    use crate::routing::session_call::SessionCall;
    use crate::state::App;

    macro_rules! routed {
        ($handler:ident, $($documentation:ident)::+) => {
            pub(super) use super::users::sessions::$($documentation)::+;

            pub(super) async fn $handler(
                State(app): State<Arc<App>>,
                call: SessionCall,
            ) -> Result<Response, ApiError> {
                session_calls::$handler(&app, call).await
            }
        };
    }

    routed!(start_named_session, start::put::__path_start_named_session);
    routed!(heartbeat, heartbeat::__path_heartbeat);
    routed!(stop_session, stop::__path_stop_session);
    routed!(stop_session_by_post, stop::__path_stop_session_by_post);
}

/// Every path with its methods, in the order of the document.
pub(crate) fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
    vec![
        routes!(
            users::sessions::start::post::start_session,
            users::sessions::list::list_sessions_of_user
        ),
        routes!(routed::start_named_session, routed::stop_session),
        routes!(routed::heartbeat),
        routes!(routed::stop_session_by_post),
        routes!(users::sessions::events::listen_to_session),
        routes!(
            users::get::get_user,
            users::put::set_user,
            users::delete::erase_user
        ),
        routes!(users::tokens::mint_token),
        routes!(users::events::listen_to_user),
        routes!(users::refusals::list_refusals_of_user),
        routes!(users::list::list_users),
        routes!(sessions::list_sessions),
        routes!(events::listen_to_tenant),
        routes!(stats::get_stats),
        routes!(refusals::list_refusals),
        routes!(node::get_node),
        routes!(heartbeats::heartbeat_batch),
        routes!(import::import_users),
    ]
}
