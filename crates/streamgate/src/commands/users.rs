//! `streamgate users`: users and their limits.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use streamgate_core::bounds::PAGE_SIZE_MAX;
use ureq::http::Method;

use crate::client::{Client, ClientArgs, cell, id, unexpected, user_path};
use crate::exit::Failure;
use crate::output;

/// Users of a running server.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Examples:
  streamgate users list
  streamgate users set-plan anna premium
  streamgate users set-limit anna 5
  streamgate users set-limit anna --clear
  streamgate users show anna --json"
)]
pub(crate) struct UsersCommand {
    #[command(flatten)]
    client: ClientArgs,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List all users
    List,
    /// Show one user: its plan, its limit, how many sessions are live
    Show(UserArg),
    /// Give a user a limit of its own, which wins over its plan
    SetLimit {
        #[command(flatten)]
        user: UserArg,
        /// How many sessions it may have at once, 0 to 1000; 0 blocks
        #[arg(value_name = "LIMIT", required_unless_present = "clear")]
        limit: Option<u32>,
        /// Take the user's own limit away: its plan or the default applies
        #[arg(long, conflicts_with = "limit")]
        clear: bool,
    },
    /// Put a user on a plan
    SetPlan {
        #[command(flatten)]
        user: UserArg,
        /// The name of the plan, as in the server's settings
        #[arg(value_name = "PLAN", value_parser = id, required_unless_present = "clear")]
        plan: Option<String>,
        /// Take the user off its plan: the default applies
        #[arg(long, conflicts_with = "plan")]
        clear: bool,
    },
    /// End all sessions of a user and erase everything that is stored about it
    Delete(UserArg),
}

#[derive(Debug, Args)]
struct UserArg {
    /// The id of the user
    #[arg(value_name = "USER", value_parser = id)]
    user: String,
}

/// Runs the command.
pub(crate) fn run(command: UsersCommand) -> Result<(), Failure> {
    let client = Client::new(&command.client)?;
    let as_json = command.client.json;
    match command.action {
        Action::List => list(&client, as_json),
        Action::Show(UserArg { user }) => {
            let shown = client.call(&Method::GET, &user_path(&user), None)?;
            show(&client, &shown, as_json)
        }
        Action::SetLimit { user, limit, .. } => {
            set(&client, &user.user, &json!({ "limit": limit }), as_json)
        }
        Action::SetPlan { user, plan, .. } => {
            set(&client, &user.user, &json!({ "plan": plan }), as_json)
        }
        Action::Delete(UserArg { user }) => {
            client.call(&Method::DELETE, &user_path(&user), None)?;
            if !as_json {
                output::line(&format!("user {user} is erased"));
            }
            Ok(())
        }
    }
}

fn list(client: &Client, as_json: bool) -> Result<(), Failure> {
    let listed = Value::Object(client.all_pages("/v1/users", "users", PAGE_SIZE_MAX)?);
    if as_json {
        output::json(&listed);
        return Ok(());
    }
    let names = ["user_id", "plan", "limit", "active"];
    let row = |user: &Value| names.map(|name| cell(user, name)).to_vec();
    let users = listed["users"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = users.map(row).collect();
    output::table(&["USER", "PLAN", "LIMIT", "ACTIVE"], &rows, "no users");
    Ok(())
}

fn set(client: &Client, user: &str, change: &Value, as_json: bool) -> Result<(), Failure> {
    let changed = client.call(&Method::PUT, &user_path(user), Some(change))?;
    show(client, &changed, as_json)
}

fn show(client: &Client, user: &Value, as_json: bool) -> Result<(), Failure> {
    let Some(members) = user.as_object() else {
        return Err(unexpected(client));
    };
    if as_json {
        output::json(user);
        return Ok(());
    }
    let width = members.keys().map(String::len).max().unwrap_or(0);
    for name in members.keys() {
        output::line(&format!("{name:<width$}  {}", cell(user, name)));
    }
    Ok(())
}
