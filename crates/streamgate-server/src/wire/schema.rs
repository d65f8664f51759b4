//! Parameters and patterns of text for the OpenAPI document. What decides is the core; these only
//! say it in advance.

use utoipa::IntoParams;

/// Text without control characters.
pub(crate) const TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";

/// The same, also empty.
pub(crate) const OPTIONAL_TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// The user in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct UserParam {
    /// The user: 1 to 256 bytes of UTF-8 without control characters, percent-encoded. The path is
    /// not normalised: `%2F` is a slash within the id, `+` is a plus, `..` is an id like any other.
    #[param(
        min_length = 1,
        max_length = 256,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$",
        example = "viewer-1"
    )]
    user_id: String,
}

/// The session in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct SessionParam {
    /// The session, unique within its user: 1 to 128 bytes of UTF-8 without control characters,
    /// percent-encoded.
    #[param(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$",
        example = "tv-evening"
    )]
    session_id: String,
}
