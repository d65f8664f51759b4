//! Dynoxide, an emulator of DynamoDB.

use std::path::PathBuf;
use std::process::Command;

use super::Process;
use crate::repository;

/// Where `./test` installs it.
const INSTALLED: &str = ".tools/node_modules/@dynoxide/linux-x64/dynoxide";

/// Names another binary.
const VARIABLE: &str = "STREAMGATE_TEST_DYNOXIDE";

/// Starts an empty emulator.
pub fn dynoxide() -> Process {
    Process::start(dynoxide_on)
}

/// The command that serves an empty emulator on this port.
pub fn dynoxide_on(port: u16) -> Command {
    let binary = std::env::var_os(VARIABLE).map_or_else(|| repository(INSTALLED), PathBuf::from);
    assert!(
        binary.is_file(),
        "no emulator of DynamoDB at {}: run ./test, which installs it, or set {VARIABLE}",
        binary.display()
    );
    let mut command = Command::new(&binary);
    command.args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()]);
    command
}
