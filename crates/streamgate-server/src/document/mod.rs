//! The OpenAPI document: the descriptions at the handlers, and what all operations have in common.
//!
//! The document does not depend on the settings of a server, so neither do generated clients. What
//! is *not* here: anything about a single endpoint. `openapi.json` beside the manifest is a copy of
//! this document; a test compares them.

mod openapi_3_0;
mod schemas;

pub(crate) use openapi_3_0::to_json_3_0;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ComponentsBuilder, Schema};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::server::{Server, ServerBuilder};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Info, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr, Required,
};
use utoipa::{PartialSchema, ToSchema};

use crate::compat::DialectName;
use crate::problem::Problem;
use crate::wire::schema::text;

/// The name of the component for the header `x-request-id`, which every response has.
const REQUEST_ID: &str = "RequestId";

const DESCRIPTION: &str = "\
May this user start another stream? Streamgate answers exactly: never more sessions than the \
limit, and a vanished player's slot is free again one lease after its last heartbeat.

A player makes three calls: **start** a session, send **heartbeats** while it plays, **stop** it.

- Generate clients from this document; `streamgate openapi --version 3.0` prints it as OpenAPI \
3.0.3. Every server serves the same one. A later version may add members to answers and values to \
`code`, `reason` and their like, so a client must tolerate those that it does not know.
- Whether an operation needs an API key depends on the server: one that has keys asks for a key in \
every operation with a security scheme, and one without keys asks for none.
- Times are RFC 3339 in UTC with milliseconds; durations are in seconds, with the unit in the name.
- Errors are RFC 9457 problems; `code` is for programs, `detail` for people.
- Ids in paths are percent-decoded, and not normalised: `%2F` is a slash within an id.
- Ids are compared byte by byte: case, Unicode normalisation forms (NFC, NFD), blanks and \
invisible characters make different ids. Normalise ids before you send them.
- A session id is one playback's. Make a new one for each.
- Lengths of text are bounded in bytes of UTF-8; the schemas can only say characters.
- The response to anything but an HTTP request, or to a head of more than 64 KiB, is 400, 414 or \
431 without a body, and the connection is closed.
- After a 503 or no answer, send the same request again: every call that names its session, and \
every call about a user, is safe to repeat.
- Every answer carries `x-request-id`: the caller's own (1 to 64 visible ASCII characters), or one \
that the server made. The log knows it.";

/// A document as it is served and committed: indented, with a line break at the end.
pub(crate) fn to_json(document: &OpenApi) -> String {
    let mut json = document
        .to_pretty_json()
        .expect("the document has text as keys");
    json.push('\n');
    json
}

/// Completes the document of a dialect that is mounted `at` a path.
pub(crate) fn of_dialect(
    mut document: OpenApi,
    name: DialectName,
    about: &str,
    at: &str,
) -> OpenApi {
    document.info = info(&format!("Streamgate as {}", name.as_str()), about);
    document.servers = Some(vec![Server::new(at)]);
    let components = document.components.get_or_insert_default();
    add_shared_components(components);
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            operation.security.get_or_insert_with(either_key);
            add_request_id(operation);
        }
    }
    document
}

/// Completes the document of this API with what all operations have in common.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    document.info = info("Streamgate", DESCRIPTION);
    document.servers = Some(servers());
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
            complete_operation(operation);
        }
    }
    document
}

/// Adds the components that several operations refer to.
fn add_components(document: &mut OpenApi) {
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    let components = document.components.get_or_insert_default();
    components.schemas.extend(schemas);
    schemas::flatten_problems(components);
    schemas::open_enums(components);
    add_shared_components(components);
}

/// Adds the components that dialects refer to as well: security schemes and the request id.
fn add_shared_components(all: &mut Components) {
    let components = ComponentsBuilder::new()
        .security_scheme(
            "api_key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key"))),
        )
        .security_scheme(
            "bearer",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        )
        .header(
            REQUEST_ID,
            HeaderBuilder::new()
                .schema(Some(text(1, 64)))
                .description(Some("The request's id, for the operator's log."))
                .build(),
        )
        .build();
    all.headers.extend(components.headers);
    all.security_schemes.extend(components.security_schemes);
}

/// Title, description, version and license.
fn info(title: &str, description: &str) -> Info {
    InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ))
        .build()
}

/// A key in either header; or none, because servers without keys have the same document.
fn either_key() -> Vec<SecurityRequirement> {
    let mut either: Vec<_> = ["api_key", "bearer"]
        .map(|scheme| SecurityRequirement::new(scheme, [""; 0]))
        .into();
    either.push(SecurityRequirement::default());
    either
}

/// The URLs of the API: relative to the document, and the default address of `streamgate serve`.
fn servers() -> Vec<Server> {
    [
        ("/", "The server that served this document."),
        (
            "http://127.0.0.1:8080",
            "`streamgate serve` on this machine.",
        ),
    ]
    .map(|(url, about)| {
        ServerBuilder::new()
            .url(url)
            .description(Some(about))
            .build()
    })
    .to_vec()
}

/// The operations of a path, whatever their methods.
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

/// Completes one operation.
fn complete_operation(operation: &mut Operation) {
    // Unless the handler says otherwise.
    operation.security.get_or_insert_with(either_key);
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content
                && let Some(schema) = content.schema.as_mut().and_then(without_null)
            {
                content.schema = Some(schema);
                body.required = Some(Required::False);
            }
        }
    }
    add_request_id(operation);
}

/// Adds the header `x-request-id` to each response.
fn add_request_id(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            let header = Ref::new(format!("#/components/headers/{REQUEST_ID}"));
            response
                .headers
                .insert("x-request-id".to_owned(), RefOr::Ref(header));
        }
    }
}

/// The other schema of a union with null. A handler that takes an `Option` accepts a missing body,
/// but not null.
fn without_null(schema: &mut RefOr<Schema>) -> Option<RefOr<Schema>> {
    match schema {
        RefOr::T(Schema::OneOf(alternatives)) => alternatives
            .items
            .drain(..)
            .find(|item| matches!(item, RefOr::Ref(_))),
        _ => None,
    }
}
