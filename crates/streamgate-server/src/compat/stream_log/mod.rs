//! The dialect `stream-log`.

use std::sync::Arc;

use axum::response::Response;
use utoipa_axum::router::UtoipaMethodRouter;

use super::answer;
use super::dialect::Dialect;
use crate::problem::ApiError;
use crate::settings::DialectName;
use crate::state::App;

/// The dialect.
#[derive(Debug)]
pub(crate) struct StreamLog;

impl Dialect for StreamLog {
    const NAME: DialectName = DialectName::StreamLog;

    const ABOUT: &'static str = "";

    fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
        Vec::new()
    }

    fn failure(error: &ApiError) -> Response {
        answer::written(
            error.code().status(),
            answer::TEXT,
            error.detail().to_owned(),
        )
    }
}
