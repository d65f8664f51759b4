//! Schemas of the OpenAPI document for ids, names and numbers, from the bounds that the core
//! enforces, and the parameters of paths.

use streamgate_core::EndReason;
use streamgate_core::bounds::{LIMIT_MAX, NAME_MAX_BYTES, SESSION_ID_MAX_BYTES, USER_ID_MAX_BYTES};
use utoipa::IntoParams;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

/// Text without control characters.
const TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// Text of `min` to `max` bytes, without control characters.
///
/// JSON Schema counts characters, so text beyond ASCII can match and still be refused.
pub(crate) fn text(min: usize, max: usize) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .min_length((min > 0).then_some(min))
        .max_length(Some(max))
        .pattern(Some(TEXT))
}

/// One of these words.
pub(crate) fn words<const N: usize>(words: [&'static str; N]) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .enum_values(Some(words))
}

/// Defines a named schema that is not derived from a Rust type.
macro_rules! schema {
    ($type:ident is $name:literal: $make:expr) => {
        #[doc = concat!("The schema `", $name, "`, for fields of that kind.")]
        pub(crate) struct $type;

        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let object: utoipa::openapi::schema::Object = $make.build();
                object.into()
            }
        }

        impl utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed($name)
            }
        }
    };
}
pub(crate) use schema;

schema!(UserIdSchema is "UserId": text(1, USER_ID_MAX_BYTES)
    .description(Some("A user: 1 to 256 bytes of UTF-8 without control characters."))
    .examples(["viewer-1"]));

schema!(SessionIdSchema is "SessionId": text(1, SESSION_ID_MAX_BYTES)
    .description(Some("A session, unique within its user: 1 to 128 bytes of UTF-8 without control \
        characters.")));

schema!(NameSchema is "Name": text(1, NAME_MAX_BYTES)
    .description(Some("1 to 256 bytes of UTF-8 without control characters.")));

schema!(LimitSchema is "Limit": ObjectBuilder::new()
    .schema_type(SchemaType::new(Type::Integer))
    .minimum(Some(0))
    .maximum(Some(LIMIT_MAX))
    .description(Some("Most concurrent sessions; 0 blocks the user."))
    .examples([3]));

schema!(EndReasonSchema is "EndReason": words(EndReason::ALL.map(EndReason::as_str))
    .description(Some("Why a session ended.")));

schema!(IntervalSchema is "HeartbeatInterval": ObjectBuilder::new()
    .schema_type(SchemaType::new(Type::Integer))
    .minimum(Some(1))
    .description(Some("When the player should call next, in seconds from now."))
    .examples([30]));

/// The user in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct UserParam {
    /// The user, percent-encoded. The path is not normalised: `%2F` is a slash within the id, `+`
    /// is a plus, `..` is an id like any other.
    #[param(value_type = UserIdSchema)]
    user_id: String,
}

/// The session in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct SessionParam {
    /// The session, percent-encoded.
    #[param(value_type = SessionIdSchema, example = "tv-evening")]
    session_id: String,
}
