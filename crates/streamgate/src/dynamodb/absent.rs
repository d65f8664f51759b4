//! The failure of a build without the feature.

use std::sync::Arc;

use streamgate_clock::Clock;
use streamgate_server::Metrics;

use crate::config::sections::store::TableSettings;
use crate::exit::{Code, Failure};
use crate::serve::remote::Remote;

/// Fails. The settings are refused before this is called.
pub(crate) async fn start(
    _settings: &TableSettings,
    _format: u8,
    _clock: Arc<dyn Clock>,
    _metrics: &Arc<Metrics>,
) -> Result<Remote, Failure> {
    Err(no_dynamodb())
}

/// Fails.
pub(crate) async fn create_table(_settings: &TableSettings) -> Result<String, Failure> {
    Err(no_dynamodb())
}

fn no_dynamodb() -> Failure {
    Failure::new(Code::Usage, "this build has no DynamoDB")
        .hint("build it in: cargo install --path crates/streamgate --features dynamodb")
}
