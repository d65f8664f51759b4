//! `[store.dynamodb]`: settings of DynamoDB.

use crate::config::reader::{Ask, Reader};

/// Reads the section: region and endpoint, each `None` unless set.
pub(super) fn read(reader: &mut Reader) -> (Option<String>, Option<String>) {
    reader.section(
        "[store.dynamodb]",
        "Where the table of a dynamodb:// URL is. Credentials come from the AWS environment: \
         variables, profile, role.",
    );
    for name in ["region", "endpoint"] {
        reader.was_called(&format!("store.{name}"), name);
    }
    let region = Ask(
        "region",
        "The region. Unless set, that of the AWS environment: AWS_REGION, REGION, the profile, the \
         role.",
    );
    let endpoint = Ask(
        "endpoint",
        "The URL of another endpoint, such as an emulator's.",
    );
    let mut text = |ask| reader.text_or_none(ask, "text", |_| Ok(()));
    (text(region), text(endpoint))
}
