//! `[store.dynamodb]`: what only DynamoDB takes.

use crate::config::reader::{Ask, Reader};
use crate::config::value::quoted;

/// Reads the section: region and endpoint, each `None` unless set.
pub(super) fn read(reader: &mut Reader) -> (Option<String>, Option<String>) {
    reader.section(
        "[store.dynamodb]",
        "Where the table of a store.url that begins with dynamodb:// is. Credentials are found the \
         AWS way.",
    );
    for name in ["region", "endpoint"] {
        reader.was_called(&format!("store.{name}"), name);
    }
    let region = Ask(
        "region",
        "The region. Unless set, it is found the AWS way: AWS_REGION, REGION, the profile, the \
         role.",
    );
    let endpoint = Ask(
        "endpoint",
        "The URL of another endpoint, such as an emulator's.",
    );
    let mut text = |ask| {
        let show = |text: &String| quoted(text);
        let read = reader.read(ask, "text".to_owned(), Some(String::new()), show, |value| {
            Ok(value.text()?.to_owned())
        });
        read.filter(|text| !text.is_empty())
    };
    (text(region), text(endpoint))
}
