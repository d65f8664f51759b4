//! The program as it is called, with valgrind.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A path that is quick to count.
const PATH: &str = "core/heartbeat";

/// The program, and a budget of this many instructions for that path.
struct Program {
    dir: TempDir,
}

impl Program {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Self { dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("budget.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamgate-instructions"));
        command.arg("--budget").arg(self.file()).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Checks the path against this budget: whether it passes, the table, and what is said to it.
    fn check(&self, instructions: u64) -> (bool, String, String) {
        let architecture = std::env::consts::ARCH;
        let budget = format!(
            "[machine]\narchitecture = {architecture:?}\ncompiler = \"any\"\n[paths]\n\
             {PATH:?} = {{ instructions = {instructions}, tolerance_percent = 2 }}\n"
        );
        std::fs::write(self.file(), budget).unwrap();
        let output = self.run(&["--check", PATH]);
        (
            output.status.success(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn counts_are_reproducible_and_compared_with_the_budget() {
    let program = Program::new();
    let counted = program.run(&[PATH]);
    let table = text(&counted.stdout);
    assert!(counted.status.success(), "{}", text(&counted.stderr));
    let row = table.lines().last().unwrap();
    let instructions: u64 = row.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(instructions > 100, "{table}");

    let (passes, table, said) = program.check(instructions);
    assert!(passes, "{table}{said}");
    assert!(table.ends_with("+0.0 %        2 %\n"), "{table}");
    assert_eq!(said, "");

    let (passes, table, said) = program.check(instructions * 10 / 11);
    assert!(!passes);
    assert!(table.ends_with("  OVER\n"), "{table}");
    assert!(
        said.starts_with("error: core/heartbeat: over budget."),
        "{said}"
    );

    let (passes, table, said) = program.check(instructions * 2);
    assert!(!passes);
    assert!(table.ends_with("  FAR UNDER\n"), "{table}");
    assert!(
        said.starts_with("error: core/heartbeat: far under budget."),
        "{said}"
    );
}

#[test]
fn a_profile_is_kept_where_it_is_asked_for() {
    let program = Program::new();
    let dir = program.dir.path().join("profile");
    let output = program.run(&["--profile", dir.to_str().unwrap(), PATH]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let kept = std::fs::read_to_string(dir.join("core-heartbeat.callgrind")).unwrap();
    assert!(kept.contains("fn="), "{kept}");
}

#[test]
fn missing_valgrind_is_named_with_its_package() {
    let program = Program::new();
    let output = program.command(&[PATH]).env("PATH", "/nowhere").output();
    let output = output.unwrap();
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("apt-get install"), "{said}");
}

#[test]
fn without_a_budget_nothing_is_checked() {
    let program = Program::new();
    let output = program.run(&["--check", PATH]);
    assert!(!output.status.success());
    assert_eq!(text(&output.stdout), "");
    let said = text(&output.stderr);
    assert!(said.contains("budget.toml: No such file"), "{said}");
}

#[test]
fn one_path_is_not_made_the_budget_of_all() {
    let program = Program::new();
    let output = program.run(&["--write", PATH]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!program.file().exists());
}
