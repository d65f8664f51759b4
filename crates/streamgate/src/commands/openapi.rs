//! `streamgate openapi`: the API's description, without a running server.

use crate::output;

/// Prints the document.
pub(crate) fn run() {
    output::line(streamgate_server::openapi_json().trim_end());
}
