//! `streamgate health`: for health checks of containers without curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use ureq::http::Method;

use super::settings_args::SettingsArgs;
use crate::client::{Client, URL_DEFAULT};
use crate::exit::{Code, Failure};
use crate::output;

/// Ask a running server whether it can serve: exits with 0 if it can, else with 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Example, in a Dockerfile:
  HEALTHCHECK CMD [\"streamgate\", \"health\"]")]
pub(crate) struct HealthArgs {
    /// The address of the server; unless given, this machine at the port of its `listen` setting
    #[arg(
        long,
        value_name = "URL",
        env = "STREAMGATE_URL",
        hide_env_values = true
    )]
    url: Option<String>,
}

/// Runs the command. Container engines know two outcomes, so an unreachable server is a 1 too.
pub(crate) fn run(args: HealthArgs) -> Result<(), Failure> {
    let url = args.url.unwrap_or_else(own_url);
    let ready = Client::at(&url, None)
        .send(&Method::GET, "/readyz", None)
        .map_err(|failure| failure.with_code(Code::Problem))?;
    if ready.status == 200 {
        output::line("ready");
        return Ok(());
    }
    Err(Failure::new(
        Code::Problem,
        format!("the server at {url} is not ready (HTTP {})", ready.status),
    ))
}

/// The address of a server with the settings of this environment, as seen from this machine.
fn own_url() -> String {
    let loaded = SettingsArgs::default().load();
    loaded.map_or_else(
        |_| URL_DEFAULT.to_owned(),
        |loaded| format!("http://{}", reachable(loaded.settings.general.listen)),
    )
}

/// The unspecified address cannot be called; the loopback address can.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}
