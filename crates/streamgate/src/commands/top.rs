//! `streamgate top`: what a running server does, live in the terminal.

use std::io::{self, IsTerminal as _};

use clap::Args;

use crate::client::{Client, ClientArgs};
use crate::exit::{Code, Failure};
use crate::output;
use crate::top;

/// Watch what a running server does: rates, live sessions, refusals, latency
///
/// Shows the last two minutes of the node that answers, once a second, and the users that it
/// refused most often. It needs a key of scope admin, if the server asks for keys. Press q to quit.
/// Without colours if NO_COLOR is set.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  streamgate top
  streamgate top --once
  ssh node-2 streamgate top")]
pub(crate) struct TopArgs {
    #[command(flatten)]
    client: ClientArgs,

    /// Print how it is now, as plain text, and end
    #[arg(long)]
    once: bool,
}

/// Runs the command.
pub(crate) fn run(args: &TopArgs) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    if args.client.json {
        output::json(&top::fetch_json(&client)?);
        return Ok(());
    }
    // The first answer decides whether there is something to watch.
    let stats = top::fetch(&client)?;
    if args.once {
        output::text(&top::plain(&stats));
        return Ok(());
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let problem = "top needs a terminal";
        return Err(Failure::new(Code::Usage, problem)
            .hint("for scripts and pipes: `streamgate top --once`, or --json"));
    }
    let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    top::watch(client, stats, has_colours)
        .map_err(|error| Failure::new(Code::Problem, format!("the terminal has failed: {error}")))
}
