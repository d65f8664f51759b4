//! The OpenAPI document: what the handlers say about themselves, and what they have in common.
//!
//! What is *not* here: anything about a single endpoint. `openapi.json` beside the manifest is this
//! document; a test compares them.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::app::bare_document;
use crate::problem::Problem;

const DESCRIPTION: &str = "\
May this user start another stream? Streamgate answers exactly: never more sessions than the limit, \
and a vanished player's slot is free again one lease after its last heartbeat.

A player makes three calls: **start** a session, send **heartbeats** while it plays, **stop** it.

- Times are RFC 3339 in UTC with milliseconds; durations are in seconds, with the unit in the name.
- Errors are RFC 9457 problems; `code` is for programs, `detail` for people.
- Ids in paths are percent-decoded, and not normalised: `%2F` is a slash within an id.
- Lengths of text are bounded in bytes of UTF-8; the schemas can only say characters.
- Every call may be sent again after a 5xx or no answer: it is idempotent by its ids.
- Every answer carries `x-request-id`: the caller's own (1 to 64 visible ASCII characters), or one \
that the server made. The log knows it.";

/// The OpenAPI 3.1 document of the API, as a server with API keys serves it.
#[must_use]
pub fn openapi() -> OpenApi {
    complete(bare_document(), true)
}

/// [`openapi`] as JSON, indented.
#[must_use]
pub fn openapi_json() -> String {
    to_json(&openapi())
}

pub(crate) fn to_json(document: &OpenApi) -> String {
    let mut json = document
        .to_pretty_json()
        .expect("the document has text as keys");
    json.push('\n');
    json
}

/// Adds what all operations have in common. A server that is open to all says so, by asking for no
/// key.
pub(crate) fn complete(mut document: OpenApi, keys: bool) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Streamgate")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ))
        .build();
    document.tags = Some(
        [
            ("sessions", "The calls of players, and who is watching."),
            ("users", "What limits users."),
            ("ops", "Health, metrics and this document."),
        ]
        .map(|(name, about)| {
            TagBuilder::new()
                .name(name)
                .description(Some(about))
                .build()
        })
        .to_vec(),
    );
    add_components(&mut document);
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            complete_operation(operation, keys);
        }
    }
    document
}

fn add_components(document: &mut OpenApi) {
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(
            "api_key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key"))),
        )
        .security_scheme(
            "bearer",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        )
        .build();
    let all = document.components.get_or_insert_default();
    all.schemas.extend(components.schemas);
    all.security_schemes.extend(components.security_schemes);
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

fn complete_operation(operation: &mut Operation, keys: bool) {
    // An operation that says nothing about security is for callers with a key, in either header.
    if keys && operation.security.is_none() {
        operation.security = Some(
            ["api_key", "bearer"]
                .map(|scheme| SecurityRequirement::new(scheme, [""; 0]))
                .to_vec(),
        );
    }
    let request_id = HeaderBuilder::new()
        .schema(Some(
            ObjectBuilder::new().schema_type(SchemaType::new(Type::String)),
        ))
        .description(Some("The request's id, for the operator's log."))
        .build();
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            response
                .headers
                .insert("x-request-id".to_owned(), request_id.clone().into());
        }
    }
}
