//! The problems of operations, for the OpenAPI document: which statuses, and with which headers.
//!
//! What is *not* here: problems of one endpoint only; the endpoint documents them itself.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::Code;

/// What every operation under `/v1` can answer.
pub(crate) struct Always;

/// What an operation that adds to what is stored can answer too.
pub(crate) struct NeedsRoom;

/// What an operation that reads a JSON body can answer too.
pub(crate) struct WithJsonBody;

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for Always {
    fn responses() -> Responses {
        responses(&[
            Code::InvalidRequest,
            Code::Unauthenticated,
            Code::Forbidden,
            Code::TooManyRequests,
            Code::Internal,
            Code::StoreUnavailable,
            Code::Overloaded,
        ])
    }
}

impl IntoResponses for NeedsRoom {
    fn responses() -> Responses {
        responses(&[Code::StoreUnavailable, Code::StoreFull, Code::Overloaded])
    }
}

impl IntoResponses for WithJsonBody {
    fn responses() -> Responses {
        responses(&[
            Code::RequestTimeout,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
        ])
    }
}

/// One response for each status. Codes of a list that share a status share its header, too.
fn responses(codes: &[Code]) -> Responses {
    codes
        .chunk_by(|one, other| one.status() == other.status())
        .map(|codes| {
            let status = codes[0].status();
            (status.as_str().to_owned(), response(codes).into())
        })
        .collect()
}

/// The response of codes with one status: a problem, and the header that they ask for.
fn response(codes: &[Code]) -> Response {
    let about = |code: &Code| format!("`{}`: {}", code.as_str(), code.about());
    let about: Vec<String> = codes.iter().map(about).collect();
    let code = codes[0];
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let response = ResponseBuilder::new()
        .description(about.join(" "))
        .content("application/problem+json", content);
    let header = |name: &str, kind: Type, description: &str| {
        let schema = ObjectBuilder::new().schema_type(SchemaType::new(kind));
        let header = HeaderBuilder::new()
            .schema(Some(schema.build()))
            .description(Some(description))
            .build();
        (name.to_owned(), header)
    };
    let header = match code {
        Code::TooManyRequests | Code::StoreUnavailable | Code::StoreFull | Code::Overloaded => {
            Some(header(
                "Retry-After",
                Type::Integer,
                "Seconds to wait before the same request is sent again.",
            ))
        }
        Code::Unauthenticated => Some(header(
            "WWW-Authenticate",
            Type::String,
            "How to authenticate: `Bearer`.",
        )),
        _ => None,
    };
    match header {
        Some((name, header)) => response.header(name, header).build(),
        None => response.build(),
    }
}
