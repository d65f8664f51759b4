//! The answers to requests that no endpoint takes.

use crate::problem::{ApiError, Code};

/// There is no such path.
pub(crate) async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "there is nothing at this path")
}

/// There is such a path, but not with this method. The router itself adds `Allow`.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "this path has no such method; the header Allow lists those it has",
    )
}
