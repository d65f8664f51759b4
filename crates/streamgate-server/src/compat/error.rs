//! The error of an endpoint of a dialect, which becomes a response of that dialect.

use std::fmt;
use std::marker::PhantomData;

use axum::response::{IntoResponse, Response};
use streamgate_engine::EngineError;

use super::dialect::Dialect;
use crate::problem::ApiError;

/// An error, to be written as [`Dialect::failure`] of `D` does.
pub(crate) struct DialectError<D> {
    error: ApiError,
    dialect: PhantomData<fn() -> D>,
}

impl<D> From<ApiError> for DialectError<D> {
    fn from(error: ApiError) -> Self {
        Self {
            error,
            dialect: PhantomData,
        }
    }
}

impl<D> From<EngineError> for DialectError<D> {
    fn from(error: EngineError) -> Self {
        ApiError::from(error).into()
    }
}

impl<D: Dialect> IntoResponse for DialectError<D> {
    fn into_response(self) -> Response {
        self.error.respond_with(D::failure)
    }
}

impl<D> fmt::Debug for DialectError<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}
