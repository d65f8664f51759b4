//! What a build without the feature says.

use std::sync::Arc;

use streamgate_store::Store;

use crate::config::sections::store::TableSettings;
use crate::exit::{Code, Failure};

/// There is none. The settings say so before it comes to this.
#[expect(clippy::unused_async, reason = "a build with the feature waits here")]
pub(crate) async fn open(_settings: &TableSettings) -> Result<Arc<dyn Store>, Failure> {
    Err(no_dynamodb())
}

/// There is none.
#[expect(clippy::unused_async, reason = "a build with the feature waits here")]
pub(crate) async fn create_table(_settings: &TableSettings) -> Result<String, Failure> {
    Err(no_dynamodb())
}

fn no_dynamodb() -> Failure {
    Failure::new(Code::Usage, "this build has no DynamoDB")
        .hint("build it in: cargo install --path crates/streamgate --features dynamodb")
}
