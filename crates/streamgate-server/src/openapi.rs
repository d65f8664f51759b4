//! The OpenAPI document. (Skeleton.)

/// The OpenAPI 3.1 document of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    utoipa::openapi::OpenApi::default()
}

/// [`openapi`] as JSON, indented.
#[must_use]
pub fn openapi_json() -> String {
    openapi()
        .to_pretty_json()
        .expect("the document has string keys only")
}
