//! Why a call of a dialect failed, said in its own words.

use std::fmt;
use std::marker::PhantomData;

use axum::response::{IntoResponse, Response};
use streamgate_engine::EngineError;

use super::dialect::Dialect;
use crate::problem::ApiError;

/// A failure that the dialect `D` puts into words.
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
