//! `streamgate openapi`: the API's description, without a running server.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use streamgate_server::{
    DialectName, dialect_openapi_json, dialect_openapi_json_3_0, openapi_json, openapi_json_3_0,
};

use crate::config::sections::compat::dialect_words;
use crate::output;

/// Which document is printed.
#[derive(Debug, Args)]
pub(crate) struct OpenapiArgs {
    /// The document of the language of an earlier system, in place of Streamgate's own
    #[arg(long, value_name = "NAME", value_parser = dialects().map(|name| dialect(&name)))]
    dialect: Option<DialectName>,
    /// The version of OpenAPI. What a server serves is 3.1; 3.0 is the same, as far as it can be said
    /// there, for generators that read nothing newer
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = Version::V3_1)]
    version: Version,
}

/// A version of OpenAPI.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Version {
    #[value(name = "3.1")]
    V3_1,
    #[value(name = "3.0")]
    V3_0,
}

fn dialects() -> PossibleValuesParser {
    PossibleValuesParser::new(dialect_words().map(|(word, _)| word))
}

fn dialect(name: &str) -> DialectName {
    let known = dialect_words().into_iter().find(|(word, _)| *word == name);
    known.expect("the parser lets only these through").1
}

/// Prints the document.
pub(crate) fn run(args: &OpenapiArgs) {
    let json = match (args.dialect, args.version) {
        (None, Version::V3_1) => openapi_json(),
        (None, Version::V3_0) => openapi_json_3_0(),
        (Some(name), Version::V3_1) => dialect_openapi_json(name),
        (Some(name), Version::V3_0) => dialect_openapi_json_3_0(name),
    };
    output::line(json.trim_end());
}
