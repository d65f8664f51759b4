//! The OpenAPI document: the descriptions at the handlers, and what all operations have in common.
//!
//! The document does not depend on the settings of a server, so neither do generated clients. What
//! is *not* here: anything about a single endpoint. `openapi.json` beside the manifest is a copy of
//! this document; a test compares them.

mod openapi_3_0;
mod schemas;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::server::Server;
use utoipa::openapi::{OpenApi, Ref, RefOr, Required};

use crate::compat::DialectName;
use crate::problem_docs::{self, CommonErrors};
use crate::v1::event_schemas;
use crate::wire::schema::text;

/// The name of the component for the header `x-request-id`, which every response has.
const REQUEST_ID: &str = "RequestId";

/// The extension by which an operation states the least scope that may call it.
const SCOPE: &str = "x-streamgate-scope";

/// The scope of operations that name one user, which a viewer token of that user may call.
const VIEWER: &str = "viewer";

const DESCRIPTION: &str = "\
May this user start another stream? Streamgate answers exactly: never more sessions than the \
limit, and a vanished player's slot is free again one lease after its last heartbeat.

A player makes three calls: **start** a session, send **heartbeats** while it plays, **stop** it.

- Generate clients from this document; `streamgate openapi --version 3.0` prints it as OpenAPI \
3.0.3. Every server serves the same one. A later version may add members to answers and values to \
`code`, `reason` and their like, so a client must tolerate those that it does not know.
- Whether an operation needs a credential depends on the server: one that has keys or issuers of \
tokens asks for one in every operation with a security scheme, another asks for none.
- `x-streamgate-scope` is the least scope that may make a call: `viewer`, `player`, `service` or \
`admin`, each of which includes those before it. Keys have the scopes from `player` on and act for \
every user of their tenant. A viewer token acts for the one user that it names.
- Times are RFC 3339 in UTC with milliseconds; durations are in seconds, with the unit in the name.
- Errors are RFC 9457 problems; `code` is for programs, `detail` for people.
- Ids in paths are percent-decoded, and not normalised: `%2F` is a slash within an id.
- Ids are compared byte by byte: case, Unicode normalisation forms (NFC, NFD), blanks and \
invisible characters make different ids. Normalise ids before you send them.
- A session id is one playback's. Make a new one for each.
- Lengths of text are bounded in bytes of UTF-8; the schemas can only say characters.
- The response to anything but an HTTP request, or to a head of more than 16 KiB (a setting: \
`http.head_max_bytes`), is 400, 414 or 431 without a body, and the connection is closed.
- A request with a chunked body is the last of its connection. Send `Content-Length` instead.
- After a 503 or no answer, send the same request again: every call that names its session, and \
every call about a user, is safe to repeat.
- Every answer carries `x-request-id`: the caller's own (1 to 64 visible ASCII characters), or one \
that the server made. The log knows it.
- A request with `traceparent` (W3C Trace Context) gets `traceresponse`, with the same trace id if \
it was valid, and the log lines of the request have that id.";

/// What our own document says beside its operations. Version and license are those of the manifest.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Streamgate", description = DESCRIPTION),
    servers(
        (url = "/", description = "The server that served this document."),
        (url = "http://127.0.0.1:8080", description = "`streamgate serve` on this machine."),
    ),
    tags(
        (name = "sessions", description = "The calls of players, and who is watching."),
        (name = "users", description = "What limits users."),
        (name = "tokens", description = "Credentials of viewers, and the keys that verify them."),
        (name = "node", description = "What this node did lately, and how it is."),
        (name = "ops", description = "Health, metrics, backups and this document."),
    ),
)]
struct Frame;

/// A version of OpenAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenApiVersion {
    /// What servers serve.
    V3_1,
    /// 3.0.3, for generators that read nothing newer.
    V3_0,
}

/// A document as it is served and committed: indented, with a line break at the end.
pub(crate) fn to_json(document: &OpenApi, version: OpenApiVersion) -> String {
    let json = match version {
        OpenApiVersion::V3_1 => document.to_pretty_json(),
        OpenApiVersion::V3_0 => serde_json::to_string_pretty(&openapi_3_0::of(document)),
    };
    json.expect("the document has text as keys") + "\n"
}

/// The document of this API, made of its operations.
pub(crate) fn of_v1(operations: OpenApi) -> OpenApi {
    let mut document = framed(operations, &problem_docs::common());
    let components = document.components.get_or_insert_default();
    components.schemas.extend(event_schemas());
    schemas::flatten_problems(components);
    schemas::open_enums(components);
    document
}

/// The document of a dialect that is mounted `at` a path, made of its operations.
pub(crate) fn of_dialect(
    operations: OpenApi,
    errors: &CommonErrors,
    name: DialectName,
    about: &str,
    at: &str,
) -> OpenApi {
    let mut document = framed(operations, errors);
    document.info.title = format!("Streamgate as {}", name.as_str());
    document.info.description = Some(about.to_owned());
    document.servers = Some(vec![Server::new(at)]);
    document.tags = None;
    document
}

/// The operations within the frame, with what all of them have in common.
fn framed(operations: OpenApi, errors: &CommonErrors) -> OpenApi {
    let mut document = <Frame as utoipa::OpenApi>::openapi();
    document.paths = operations.paths;
    document.components = operations.components;
    let components = document.components.get_or_insert_default();
    for (name, scheme) in security_schemes() {
        components.add_security_scheme(name, scheme);
    }
    let request_id = HeaderBuilder::new()
        .schema(Some(text(1, 64)))
        .description(Some("The request's id, for the operator's log."))
        .build();
    components
        .headers
        .insert(REQUEST_ID.to_owned(), request_id.into());
    for item in document.paths.paths.values_mut() {
        for operation in methods(item) {
            complete(operation, errors);
        }
    }
    document
}

/// The operations of a path, whatever their methods.
fn methods(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        ..
    } = item;
    [get, put, post, delete].into_iter().flatten()
}

/// Completes one operation.
fn complete(operation: &mut Operation, errors: &CommonErrors) {
    let responses = &mut operation.responses.responses;
    // An operation that states its security itself asks for no credential.
    if operation.security.is_none() {
        let scope = operation.extensions.as_ref().and_then(|of| of.get(SCOPE));
        operation.security = scope.map(|scope| either_of(scope == VIEWER));
        let with_body = operation.request_body.as_ref().map(|_| &errors.with_body);
        for (status, response) in with_body.into_iter().chain([&errors.always]).flatten() {
            responses
                .entry(status.clone())
                .or_insert_with(|| response.clone());
        }
    }
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            let header = Ref::new(format!("#/components/headers/{REQUEST_ID}"));
            response
                .headers
                .insert("x-request-id".to_owned(), RefOr::Ref(header));
        }
    }
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
}

/// Each way to present a credential.
fn security_schemes() -> [(&'static str, SecurityScheme); 3] {
    let key = ApiKeyValue::with_description("x-api-key", "An API key.");
    let bearer = |about: &str| {
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(about))
    };
    let token = "A viewer token, which acts for the one user that it names: minted by \
        `POST /v1/users/{user_id}/tokens`, or made by an issuer that the server trusts.";
    [
        ("api_key", SecurityScheme::ApiKey(ApiKey::Header(key))),
        (
            "bearer",
            SecurityScheme::Http(bearer("An API key.").build()),
        ),
        (
            "viewer_token",
            SecurityScheme::Http(bearer(token).bearer_format("JWT").build()),
        ),
    ]
}

/// A key in either header; a token, where a viewer may call; or nothing, because servers without
/// keys have the same document.
fn either_of(viewer: bool) -> Vec<SecurityRequirement> {
    let keys = ["api_key", "bearer"];
    let schemes = keys.into_iter().chain(viewer.then_some("viewer_token"));
    schemes
        .map(|scheme| SecurityRequirement::new(scheme, [""; 0]))
        .chain([SecurityRequirement::default()])
        .collect()
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
