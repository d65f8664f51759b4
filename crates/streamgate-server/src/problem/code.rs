//! The kinds of problems: each with its code, its status, and what it means.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $about:literal;)*) => {
        /// The kind of a problem, for programs to tell apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Code {
            $(#[doc = $about] $name,)*
        }

        impl Code {
            /// Every code, by status.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The HTTP status that goes with it.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The code as text.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means, in a few words that are the same for every occurrence.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What it means and what to do, in sentences.
            pub(crate) const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }

            /// Where the kind is described: a page that every server serves itself, so that it
            /// resolves offline too.
            pub(crate) const fn uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/docs/problems#", $code),)* }
            }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", BAD_REQUEST, "The request is not valid",
        "Something in the path, the query or the body is wrong; `errors` names each field. \
         Nothing was changed.";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "An API key or a viewer token is needed",
        "The request has no API key and no viewer token, or one that is not accepted; `detail` \
         says whether a token has expired. Send a key as `x-api-key` or `Authorization: Bearer`, a \
         token as `Authorization: Bearer`.";
    Forbidden = "forbidden", FORBIDDEN, "The caller may not do this",
        "The key is known, but its scope does not include this operation, and `detail` names the \
         scope needed. With a viewer token: the request names another user, or more than one. \
         Without either: the request names a foreign `Host`, or would change \
         something for a web page of another origin; `detail` says what the operator can do.";
    EntitlementUnusable = "entitlement_unusable", FORBIDDEN,
        "What the token says about its user cannot be used",
        "The viewer token brings a plan that the server's configuration does not know, or a limit \
         that is none; `detail` says which. Nothing was changed. The issuer of the token, or the \
         operator who named its claims, must correct it.";
    NotFound = "not_found", NOT_FOUND, "There is nothing here",
        "No such path, or a user that was never seen.";
    SessionUnknown = "session_unknown", NOT_FOUND, "The user never had this session",
        "The user never had a session of this id, or it ended so long ago that it is forgotten. \
         Start it again.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The path has no such method",
        "The header `Allow` lists the methods of this path.";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body came too slowly",
        "The body did not arrive in time. Nothing was changed; the connection is closed.";
    LimitReached = "limit_reached", CONFLICT, "The limit of concurrent sessions is reached",
        "Every slot is taken. `sessions` lists the sessions that hold them (100 at most; \
         `sessions_total` counts all), `next_slot_at` is when a start is admitted at the latest. \
         Ask the viewer which session to end, then start again with `terminate`.";
    SessionTaken = "session_taken", CONFLICT, "The session is another device's",
        "A session of this id is live, and it was started with another `device_id`. Make a new \
         session id for each playback. Nothing was changed.";
    BackupRunning = "backup_running", CONFLICT, "Another backup is under way",
        "The server makes one backup at a time. Send the request again when the other has ended: \
         its end is in the log.";
    BackupElsewhere = "backup_elsewhere", CONFLICT, "This store is backed up elsewhere",
        "The server keeps its data in Redis or DynamoDB, or in memory only; `detail` names what to \
         use there.";
    SessionEnded = "session_ended", GONE, "The session has ended",
        "The session no longer holds a slot; `reason` says why. Stop playing, or start a new \
         session.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "A body may have 16 KiB, a batch 256 KiB.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "The body must be JSON",
        "Send the body as `application/json`, and not compressed.";
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests",
        "The caller, or the calls about this user, exceed their rate limit. Wait as many seconds \
         as `Retry-After` says.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something is wrong inside",
        "For example, a stored record cannot be read. A retry does not help; the operator finds \
         the cause in the log, by the `x-request-id` of the response.";
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The store cannot be used now",
        "The store gives no reliable answer; `detail` says why: it is not reached, did not answer \
         in time, or refuses (full, read-only, loading, set up so that it may drop sessions). \
         Send the same request again after `Retry-After`: every call is safe to repeat.";
    StoreFull = "store_full", SERVICE_UNAVAILABLE, "The store has no room for more",
        "The store has no room, so no session is started and no user is changed. Heartbeats, stops \
         and lists work as usual. Send the same request again after `Retry-After`: once there is \
         room, it succeeds without a restart.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too much is under way at once",
        "`detail` says what: request bodies take all the memory that `http.bodies_max_bytes` \
         allows, or there are as many event streams as `push.max_streams` allows. Nothing was \
         changed. Send the same request again after `Retry-After`.";
    IssuerUnavailable = "issuer_unavailable", SERVICE_UNAVAILABLE,
        "The token cannot be verified now",
        "The keys of the issuer of the viewer token cannot be fetched, and those that were fetched \
         last are too old. Send the same request again after `Retry-After`.";
    NotConfigured = "not_configured", SERVICE_UNAVAILABLE, "The server is not set up for this",
        "`detail` names the setting that is missing. A retry does not help; the operator sets it.";
    Stopping = "stopping", SERVICE_UNAVAILABLE, "The server is stopping",
        "`/readyz` says so, to load balancers, while requests are still answered for as long as \
         `http.drain_s` says; and an event stream that does not begin any more: connect again \
         after `Retry-After`.";
    NoStreams = "no_streams", NOT_IMPLEMENTED, "There are no event streams here",
        "The server runs where an answer is sent whole (AWS Lambda). Players learn of an ending at \
         their next heartbeat.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_as_it_is_named() {
        for code in Code::ALL {
            assert_eq!(
                serde_json::to_value(code).unwrap(),
                serde_json::Value::from(code.as_str())
            );
        }
    }
}
