//! `streamgate health`: for health checks of containers without curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use ureq::http::Method;

use super::settings_args::SettingsArgs;
use crate::client::{Client, TextParser, TlsArgs, URL_DEFAULT};
use crate::exit::{Code, Failure};
use crate::output;

/// Ask a running server whether it can serve: exits with 0 if it can, else with 1
///
/// 2 means that an argument or a variable is wrong.
///
/// Without --url it asks the server of its own settings, over TLS if they name a certificate. That
/// certificate is then not verified, because it is not for the address of this machine.
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
        hide_env_values = true,
        value_parser = TextParser
    )]
    url: Option<String>,

    /// Accept any certificate of the server; nothing secret is sent
    #[arg(long)]
    insecure: bool,

    #[command(flatten)]
    tls: TlsArgs,
}

/// Runs the command. Container engines know two outcomes, so an unreachable server is a 1 too.
pub(crate) fn run(args: HealthArgs) -> Result<(), Failure> {
    let of_problem = |failure: Failure| failure.with_code(Code::Problem);
    let tls = args.tls.load().map_err(of_problem)?;
    // The certificate of the own server is for its name, not for the address of this machine.
    let is_verified = args.url.is_some() && !args.insecure;
    let url = args.url.unwrap_or_else(own_url);
    let client = if is_verified {
        Client::at(&url, None, &tls)
    } else {
        Client::unverified(&url, &tls)
    };
    let ready = client
        .send(&Method::GET, "/readyz", None)
        .map_err(of_problem)?;
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
        |loaded| {
            let scheme = loaded.settings.scheme();
            format!("{scheme}://{}", reachable(loaded.settings.general.listen))
        },
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
