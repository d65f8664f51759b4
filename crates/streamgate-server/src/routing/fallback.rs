//! The answers to requests that no endpoint takes.

use crate::problem::{ApiError, Code};

/// 404: there is no such path.
pub(crate) async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "there is nothing at this path")
}

/// 405: the path has no such method. The router adds `Allow`.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "this path has no such method; the header Allow lists those it has",
    )
}
