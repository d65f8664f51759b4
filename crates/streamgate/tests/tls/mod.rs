//! A server that speaks TLS: clients of other makers, the commands, renewal, settings.
//!
//! What is *not* here: handshakes and connections in detail (the server's `tests/api/tls`).

mod clients;
mod clocks;
mod commands;
mod provider;
mod renewal;
mod settings;

use std::path::Path;
use std::process::{Command, Output};

use streamgate_testkit::{Certificates, Server, bare, serve_arguments, streamgate};
use tempfile::TempDir;

/// A server that speaks TLS, on a data directory of its own.
struct Node {
    server: Server,
    made: Certificates,
    _dir: TempDir,
}

/// Arguments for the certificate of this name.
fn with_certificate(made: &Certificates, name: &str) -> Vec<String> {
    let files = [("cert_file", "pem"), ("key_file", "key")];
    files
        .into_iter()
        .flat_map(|(setting, kind)| {
            let file = made.path(&format!("{name}.{kind}"));
            [
                "--set".to_owned(),
                format!("tls.{setting}={}", file.display()),
            ]
        })
        .collect()
}

impl Node {
    /// Starts one with these further arguments.
    fn start(further: impl FnOnce(&Certificates) -> Vec<String>) -> Self {
        Self::start_as(further, |_| ())
    }

    /// The same, by a command that is changed before it runs.
    fn start_as(
        further: impl FnOnce(&Certificates) -> Vec<String>,
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let (made, dir) = (Certificates::make(), TempDir::new().unwrap());
        let mut command = streamgate(&serve_arguments(dir.path()));
        command
            .args(with_certificate(&made, "server"))
            .args(further(&made));
        change(&mut command);
        Self {
            server: Server::spawn(command),
            made,
            _dir: dir,
        }
    }

    /// Calls with curl, which trusts the authority. Returns what it printed.
    fn curl(&self, arguments: &[&str]) -> Output {
        let output = bare("curl")
            .args(["--silent", "--show-error", "--max-time", "20", "--cacert"])
            .arg(self.made.path("ca.pem"))
            .args(arguments)
            .output();
        output.expect("curl is there: ./test installs it")
    }

    /// The status of a call with curl, and the body.
    fn called(&self, method: &str, path: &str, further: &[&str]) -> (u16, String) {
        let url = format!("{}{path}", self.server.url());
        let fixed = ["-w", "\n%{http_code}", "-X", method, &url];
        let output = self.curl(&[&fixed[..], further].concat());
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// The value of a metric.
    fn metric(&self, series: &str) -> i64 {
        let (_, page) = self.called("GET", "/metrics", &[]);
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{page}")).parse().unwrap()
    }

    /// `openssl s_client`, with the authority trusted and its input at the end.
    fn s_client(&self) -> Command {
        let mut command = bare("openssl");
        command
            .args(["s_client", "-verify_return_error", "-CAfile"])
            .arg(self.made.path("ca.pem"))
            .args(["-connect", &self.server.address.to_string()])
            .stdin(std::process::Stdio::null());
        command
    }
}

/// Copies a certificate with its key over another one, the key first: for a moment the pair does
/// not fit.
fn renew(made: &Certificates, from: &str, to: &Path) {
    for kind in ["key", "pem"] {
        let file = made.read(&format!("{from}.{kind}"));
        std::fs::write(to.with_extension(kind), file).unwrap();
    }
}
