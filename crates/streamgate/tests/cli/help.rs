//! Every help text is committed under `tests/help/`, so that a change of one is seen and read.
//!
//! `UPDATE_GENERATED=1 cargo nextest run -p streamgate help` rewrites them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use streamgate_testkit::generated::is_updating;
use streamgate_testkit::{repository, run};

/// The names of the commands in a help text.
fn commands_in(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            // Continuations of a description are indented further.
            let name = line.strip_prefix("  ").filter(|it| !it.starts_with(' '))?;
            name.split(' ').next().map(str::to_owned)
        })
        .filter(|name| name != "help")
        .collect()
}

/// Adds the help of a command and of all below it.
fn collect(command: &[&str], helps: &mut BTreeMap<String, String>) {
    let help = run(&[command, &["--help"]].concat()).ok();
    let commands = commands_in(&help);
    let name = [&["streamgate"], command].concat().join("-");
    helps.insert(format!("{name}.txt"), help);
    for below in &commands {
        collect(&[command, &[below.as_str()]].concat(), helps);
    }
}

#[test]
fn every_help_text_is_committed() {
    let dir: PathBuf = repository("crates/streamgate/tests/help");
    let mut helps = BTreeMap::new();
    collect(&[], &mut helps);
    assert!(helps.len() > 15, "{:?}", helps.keys());
    if is_updating() {
        for entry in fs::read_dir(&dir).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (name, help) in &helps {
            fs::write(dir.join(name), help).unwrap();
        }
    }
    let committed: BTreeMap<String, String> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    assert_eq!(
        committed, helps,
        "run the test with UPDATE_GENERATED=1 and read the difference"
    );
}

#[test]
fn the_version_is_that_of_the_manifest() {
    let version = concat!("streamgate ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(run(&["--version"]).ok(), version);
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for wrong in [
        &["serv"][..],
        &["serve", "--lisen", "127.0.0.1:0"],
        &["users", "set-limit", "anna"],
        &["users", "set-limit", "anna", "many"],
        &["sessions", "stop", "anna", ""],
        &["config", "show", "--set", "policy.lease_s"],
    ] {
        assert!(run(wrong).failed(2).contains("help"), "{wrong:?}");
    }
    assert_eq!(run(&[]).code, Some(2), "it shows the help");
}
