//! `streamgate sessions`: live sessions.

use clap::{Args, Subcommand};
use serde_json::Value;
use streamgate_core::bounds::{PAGE_SIZE_MAX, SESSIONS_LISTED_MAX};
use streamgate_server::path_segment;
use ureq::http::Method;

use crate::client::{Client, ClientArgs, cell, id, user_path};
use crate::exit::Failure;
use crate::output;

/// Live sessions of a running server.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Examples:
  streamgate sessions list
  streamgate sessions list --user anna --json
  streamgate sessions stop anna 01936f5c-7a10-7c5e-8a6e-3c1f4d2b9a00"
)]
pub(crate) struct SessionsCommand {
    #[command(flatten)]
    client: ClientArgs,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List live sessions
    List {
        /// Only those of this user
        #[arg(long, value_name = "USER", value_parser = id)]
        user: Option<String>,
    },
    /// Stop a session; its slot is free at once
    Stop {
        /// The id of the user
        #[arg(value_name = "USER", value_parser = id)]
        user: String,
        /// The id of the session
        #[arg(value_name = "SESSION", value_parser = id)]
        session: String,
    },
}

/// Runs the command.
pub(crate) fn run(command: SessionsCommand) -> Result<(), Failure> {
    let client = Client::new(&command.client)?;
    let as_json = command.client.json;
    match command.action {
        Action::List { user: Some(user) } => list_of_user(&client, &user, as_json),
        Action::List { user: None } => {
            list(&client, "/v1/sessions", PAGE_SIZE_MAX, as_json).map(drop)
        }
        Action::Stop { user, session } => {
            let path = format!("{}/sessions/{}", user_path(&user), path_segment(&session));
            client.call(&Method::DELETE, &path, None)?;
            if !as_json {
                output::line(&format!("session {session} of user {user} is stopped"));
            }
            Ok(())
        }
    }
}

fn list_of_user(client: &Client, user: &str, as_json: bool) -> Result<(), Failure> {
    let path = format!("{}/sessions", user_path(user));
    let listed = list(client, &path, SESSIONS_LISTED_MAX, as_json)?;
    if !as_json {
        let (active, limit) = (cell(&listed, "active"), cell(&listed, "limit"));
        output::line(&format!("{active} of {limit} slots taken"));
    }
    Ok(())
}

/// Prints a list of sessions, and returns it.
fn list(client: &Client, path: &str, page_size: usize, as_json: bool) -> Result<Value, Failure> {
    let listed = Value::Object(client.all_pages(path, "sessions", page_size)?);
    if as_json {
        output::json(&listed);
    } else {
        let names = [
            "user_id",
            "session_id",
            "device_name",
            "content_id",
            "started_at",
            "expires_at",
        ];
        let row = |session: &Value| names.map(|name| cell(session, name)).to_vec();
        let sessions = listed["sessions"].as_array().into_iter().flatten();
        let rows: Vec<Vec<String>> = sessions.map(row).collect();
        let headings = ["USER", "SESSION", "DEVICE", "CONTENT", "STARTED", "EXPIRES"];
        output::table(&headings, &rows, "no live sessions");
    }
    Ok(listed)
}
