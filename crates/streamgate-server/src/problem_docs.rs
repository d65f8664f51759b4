//! Error responses of operations, for the OpenAPI document: statuses, bodies and headers.
//!
//! What is *not* here: errors of a single endpoint; the endpoint documents them itself.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::Code;

pub(crate) type Responses = BTreeMap<String, RefOr<Response>>;

/// Errors that operations share. The document adds them where an operation has no response of the
/// same status.
pub(crate) struct CommonErrors {
    /// Of every operation that a server with keys asks for a key.
    pub(crate) always: Responses,
    /// Further ones of operations that read a body.
    pub(crate) with_body: Responses,
}

/// The common errors of `/v1`.
pub(crate) fn common() -> CommonErrors {
    CommonErrors {
        always: responses(&[
            Code::InvalidRequest,
            Code::Unauthenticated,
            Code::Forbidden,
            Code::TooManyRequests,
            Code::Internal,
            Code::StoreUnavailable,
            Code::Overloaded,
            Code::IssuerUnavailable,
        ]),
        with_body: responses(&[
            Code::RequestTimeout,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
        ]),
    }
}

/// Defines groups of errors that operations name in `responses(...)`.
macro_rules! errors {
    ($($(#[$about:meta])* $name:ident: $($code:ident)+;)*) => {$(
        $(#[$about])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> Responses {
                responses(&[$(Code::$code),+])
            }
        }
    )*};
}

errors! {
    /// Errors of operations that add to what is stored.
    NeedsRoom: StoreUnavailable StoreFull Overloaded IssuerUnavailable;
    /// Errors of operations that start a session, about what a token says.
    NeedsEntitlement: Forbidden EntitlementUnusable;
    /// Errors of operations that mint tokens.
    NeedsSigningKey: StoreUnavailable Overloaded IssuerUnavailable NotConfigured;
    /// Errors of `/metrics`, where it asks for a key. A viewer token is looked at before it is
    /// refused.
    NeedsKey: Unauthenticated Forbidden TooManyRequests IssuerUnavailable;
    /// Errors of a backup.
    BackupErrors: BackupRunning BackupElsewhere;
    /// Errors of event streams.
    StreamErrors: NoStreams StoreUnavailable Overloaded IssuerUnavailable Stopping;
    /// The error about a session that the user never had.
    SessionUnknown: SessionUnknown;
}

/// One response for each status. Codes with the same status have the same header.
fn responses(codes: &[Code]) -> Responses {
    codes
        .chunk_by(|one, other| one.status() == other.status())
        .map(|codes| {
            let about = |code: &Code| format!("`{}`: {}", code.as_str(), code.about());
            let about: Vec<String> = codes.iter().map(about).collect();
            let schema = Ref::from_schema_name("Problem").into();
            let response = response(
                codes[0],
                &about.join(" "),
                "application/problem+json",
                schema,
            );
            (codes[0].status().as_str().to_owned(), response.into())
        })
        .collect()
}

/// The response to a request that fails with this code: its body, and the header that the code asks
/// for.
pub(crate) fn response(
    code: Code,
    about: &str,
    media_type: &str,
    schema: RefOr<Schema>,
) -> Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new()
        .description(about)
        .content(media_type, content);
    let header = |kind: Type, description: &str| {
        let schema = ObjectBuilder::new().schema_type(SchemaType::new(kind));
        HeaderBuilder::new()
            .schema(Some(schema.build()))
            .description(Some(description))
            .build()
    };
    match code {
        Code::TooManyRequests
        | Code::StoreUnavailable
        | Code::StoreFull
        | Code::Overloaded
        | Code::Stopping
        | Code::IssuerUnavailable => {
            let about = "Seconds to wait before the same request is sent again.";
            response.header("Retry-After", header(Type::Integer, about))
        }
        Code::Unauthenticated => {
            let about = "How to authenticate: `Bearer`.";
            response.header("WWW-Authenticate", header(Type::String, about))
        }
        Code::UnsupportedMediaType => {
            let about = "`identity`, if the body was compressed.";
            response.header("Accept-Encoding", header(Type::String, about))
        }
        _ => response,
    }
    .build()
}
