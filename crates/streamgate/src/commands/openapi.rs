//! `streamgate openapi`: the API's description, without a running server.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use streamgate_server::{DialectName, dialect_openapi_json, openapi_json};

use crate::config::sections::compat::DIALECT_WORDS;
use crate::output;

/// Which document is printed.
#[derive(Debug, Args)]
pub(crate) struct OpenapiArgs {
    /// The document of the language of an earlier system, in place of Streamgate's own
    #[arg(long, value_name = "NAME", value_parser = dialects().map(|name| dialect(&name)))]
    dialect: Option<DialectName>,
}

fn dialects() -> PossibleValuesParser {
    PossibleValuesParser::new(DIALECT_WORDS.map(|(word, _)| word))
}

fn dialect(name: &str) -> DialectName {
    let known = DIALECT_WORDS.iter().find(|(word, _)| *word == name);
    known.expect("the parser lets only these through").1
}

/// Prints the document.
pub(crate) fn run(args: &OpenapiArgs) {
    let json = args.dialect.map_or_else(openapi_json, dialect_openapi_json);
    output::line(json.trim_end());
}
