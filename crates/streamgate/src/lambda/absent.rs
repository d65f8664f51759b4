//! The failure of a build without the feature.

use crate::config::Sources;
use crate::exit::{Code, Failure};

/// Fails.
pub(crate) fn run(_api: &str, _sources: Sources) -> Result<(), Failure> {
    Err(Failure::new(
        Code::Usage,
        "AWS_LAMBDA_RUNTIME_API is set, but this build has no AWS Lambda",
    )
    .hint(
        "build it in: cargo build --release --package streamgate --features lambda; or unset the \
         variable to serve HTTP",
    ))
}
