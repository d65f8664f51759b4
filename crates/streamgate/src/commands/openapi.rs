//! `streamgate openapi`: the API's description, without a running server.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use streamgate_server::{DialectName, OpenApiVersion, openapi_json};

use crate::config::sections::compat::dialect_words;
use crate::output;

/// Which document is printed.
#[derive(Debug, Args)]
pub(crate) struct OpenapiArgs {
    /// The document of a dialect, the API of an earlier system, in place of Streamgate's own
    #[arg(long, value_name = "NAME", value_parser = dialects().map(|name| dialect(&name)))]
    dialect: Option<DialectName>,
    /// The version of OpenAPI. Servers serve 3.1; 3.0 is for generators that read nothing newer,
    /// and lacks what only 3.1 can express
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
    let version = match args.version {
        Version::V3_1 => OpenApiVersion::V3_1,
        Version::V3_0 => OpenApiVersion::V3_0,
    };
    output::line(openapi_json(args.dialect, version).trim_end());
}
