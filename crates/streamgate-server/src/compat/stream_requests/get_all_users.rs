//! `GET /getallusers`: every user, in one response of any length.
//!
//! The body is streamed page by page, so that millions of users take the memory of one page. The
//! number of users on a page follows the size of the page before, and the engine serves other calls
//! between pages.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use streamgate_core::admission::user_and_sessions_of;
use streamgate_core::bounds::PAGE_SIZE_DEFAULT;
use streamgate_engine::{EngineError, PageCursor};
use utoipa::ToSchema;

use super::super::{DialectCaller, answer};
use super::StreamRequests;
use super::user::User;
use crate::caller::access::Admin;
use crate::problem::ApiError;

/// Users of the first page, before any page has shown how large a user is.
const FIRST_PAGE: usize = 10;

/// Target size of a page: a client that stops reading keeps one in memory.
const PAGE_BYTES: usize = 64 * 1024;

/// Every user by its id.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct Users<'a> {
    /// The users, in an order of the store's own.
    #[schema(rename = "Users")]
    users: BTreeMap<String, User<'a>>,
}

/// All users, and what they watch
///
/// The answer is as long as there are users; `GET /v1/users` has pages. If the store fails on the
/// way, the connection breaks.
#[utoipa::path(
    get,
    path = "/getallusers",
    extensions(("x-streamgate-scope" = json!("admin"))),
    responses(
        (status = 200, description = "Every user that is known.", body = Users<'_>),
        (status = 403, description = "The key's scope does not include this.",
            body = String, content_type = "text/plain"),
    )
)]
pub(super) async fn get_all_users(
    caller: DialectCaller<StreamRequests, Admin>,
) -> Result<Response, ApiError> {
    let listing = Listing {
        caller,
        from: None,
        lead: "",
        page_size: FIRST_PAGE,
    };
    // Read before the head is sent, so that a store that is down is still a 503.
    let (first, rest) = listing.page().await?;
    let begun = [Bytes::from_static(b"{\"Users\":{"), first];
    let pieces = stream::iter(begun.map(Ok)).chain(pages(rest));
    let body = Body::from_stream(pieces);
    Ok(answer::response(StatusCode::OK, answer::JSON, body))
}

/// The remaining pages. After an error the connection breaks: the body must not look complete.
fn pages(from: Option<Listing>) -> impl Stream<Item = Result<Bytes, EngineError>> {
    let pages = stream::try_unfold(from, async |listing| match listing {
        Some(listing) => listing.page().await.map(Some),
        None => Ok(None),
    });
    pages.inspect_err(|error| tracing::warn!(%error, "a list of all users broke off"))
}

/// The rest of the list.
struct Listing {
    caller: DialectCaller<StreamRequests, Admin>,
    from: Option<PageCursor>,
    /// Separator before the next user.
    lead: &'static str,
    /// Users of the next page.
    page_size: usize,
}

impl Listing {
    /// The next page as JSON, and the rest after it. The last page closes the body.
    async fn page(mut self) -> Result<(Bytes, Option<Self>), EngineError> {
        let tenant = self.caller.tenant();
        let page = self
            .caller
            .engine()
            .users(
                tenant,
                self.from.as_ref(),
                self.page_size,
                user_and_sessions_of,
            )
            .await?;
        let mut json = Vec::new();
        for (user, (view, watching)) in &page.users {
            json.extend_from_slice(self.lead.as_bytes());
            write(&mut json, user.user());
            json.push(b':');
            write(&mut json, &User::new(view, watching));
            self.lead = ",";
        }
        self.page_size = fitting(page.users.len(), json.len());
        self.from = page.next;
        if self.from.is_some() {
            return Ok((json.into(), Some(self)));
        }
        json.extend_from_slice(b"}}");
        Ok((json.into(), None))
    }
}

/// Users of the next page, if a page of `users` had `length` bytes.
fn fitting(users: usize, length: usize) -> usize {
    let of_that_length = users * PAGE_BYTES / length.max(1);
    of_that_length.clamp(1, PAGE_SIZE_DEFAULT)
}

/// Appends the value as JSON.
fn write<T: Serialize + ?Sized>(json: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(json, value).expect("answers have text as keys");
}
