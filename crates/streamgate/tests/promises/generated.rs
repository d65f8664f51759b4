//! Clients that are generated from the OpenAPI documents, used against the real server: a document
//! that is valid can still make clients that are not. And the examples in the documents, which
//! clients and people copy.
//!
//! Both generators get documents of both versions: the Python client Streamgate's own in 3.1 and
//! the dialects in 3.0, TypeScript the other way round. What the clients do is in `generated/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use streamgate_server::DialectName;
use streamgate_testkit::{Server, repository, run, serve_arguments, streamgate};
use tempfile::TempDir;

/// The key of the clients, of scope admin.
const KEYS: &str = r#"[{ name = "test", scope = "admin", sha256 = "6159179caa575fed1e22615bda7acf47e1de1620f5d30cbf9aefc406d3e9253e" }]"#;

/// No formatter: the generated code is not read.
const PYTHON_CONFIG: &str = r#"{ "post_hooks": [] }"#;

fn server(dir: &TempDir) -> Server {
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.args(["--set", "plans.basic.limit=1"]);
    command.env("STREAMGATE_KEYS", KEYS);
    Server::spawn(command)
}

/// Writes a document into the directory, as `streamgate openapi` prints it.
fn document(to: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let path = to.join(format!("{name}.json"));
    let printed = run(&[&["openapi"], arguments].concat());
    fs::write(&path, printed.stdout).unwrap();
    path
}

/// Runs a program, which must succeed, and gives what it said.
#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = command
        .output()
        .expect("the tools are installed by ./test, as pinned there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}\n{error}");
    said
}

#[test]
fn a_generated_python_client_plays() {
    let (dir, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let config = dir.path().join("config.json");
    fs::write(&config, PYTHON_CONFIG).unwrap();
    let script = include_str!("generated/players.py");
    for dialect in [None].into_iter().chain(DialectName::ALL.map(Some)) {
        let name = dialect.map_or("core", DialectName::as_str);
        let package = &name.replace('-', "_");
        let of_dialect = ["--dialect", name, "--version", "3.0"];
        let arguments = if dialect.is_some() {
            &of_dialect[..]
        } else {
            &[]
        };
        let is_used = script.contains(&format!("\nfrom {package}.api."));
        assert!(is_used, "players.py makes no call to {name}");
        let document = document(dir.path(), package, arguments);
        let said = succeeds(
            Command::new("openapi-python-client")
                .args(["generate", "--meta", "none", "--path"])
                .arg(document)
                .arg("--output-path")
                .arg(dir.path().join(package))
                .arg("--config")
                .arg(&config),
        );
        // It goes on without what it does not understand; the page of metrics is no JSON.
        let left_out = said.matches("Cannot parse").count();
        let of_metrics = said.matches("parsing GET /metrics").count();
        assert_eq!(left_out, of_metrics, "{package}: {said}");
    }
    let server = server(&data);
    let players = dir.path().join("players.py");
    fs::write(&players, script).unwrap();
    let url = format!("http://{}", server.address);
    let said = succeeds(Command::new("python3").arg(players).arg(url));
    assert_eq!(said, "played\n");
}

/// And what clients of the earlier systems sent matches what the documents say of bodies.
#[test]
fn every_example_and_every_recorded_body_matches_its_schema() {
    let documents = repository("crates/streamgate-server");
    let said = succeeds(
        Command::new("python3")
            .arg(repository(
                "crates/streamgate/tests/promises/generated/examples.py",
            ))
            .arg(repository("crates/streamgate/tests/dialects/recorded"))
            .arg(documents.join("openapi.json"))
            .args(DialectName::ALL.map(|name| {
                let file = format!("openapi/{}.json", name.as_str());
                documents.join(file)
            })),
    );
    assert_eq!(said, "all match\n");
}

#[test]
fn generated_typescript_types_are_what_is_answered() {
    let (dir, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/node_modules/.bin");
    for (name, arguments) in [
        ("core", &["--version", "3.0"][..]),
        ("stream-log", &["--dialect", "stream-log"]),
    ] {
        let document = document(dir.path(), name, arguments);
        let types = dir.path().join(format!("{name}.d.ts"));
        let mut generate = Command::new(tools.join("openapi-typescript"));
        succeeds(generate.arg(document).arg("--output").arg(types));
    }
    let source = dir.path().join("players.ts");
    fs::write(&source, include_str!("generated/players.ts")).unwrap();
    succeeds(
        Command::new(tools.join("tsc"))
            .args(["--strict", "--target", "es2022", "--module", "commonjs"])
            .args(["--lib", "es2022,dom"])
            .arg(&source),
    );
    let server = server(&data);
    let url = format!("http://{}", server.address);
    let script = dir.path().join("players.js");
    let said = succeeds(Command::new("node").arg(script).arg(url));
    assert_eq!(said, "played\n");
}
