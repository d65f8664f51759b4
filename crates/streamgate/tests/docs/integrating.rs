//! `docs/integrating.md`: each command, the backend, the player and the settings are run against a
//! real server, in the order of the page.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use streamgate_testkit::{Process, Server, binary, call, eventually, exchange};
use tempfile::TempDir;

use crate::docs::page::{Block, blocks};

/// The page as it is run: a directory of its own, and the variables that it tells readers to set.
struct Reader {
    dir: TempDir,
    blocks: std::vec::IntoIter<Block>,
    variables: Vec<(&'static str, String)>,
}

impl Reader {
    fn new() -> Self {
        let pictures = |block: &Block| !block.language.is_empty();
        let blocks: Vec<_> = blocks("integrating.md")
            .into_iter()
            .filter(pictures)
            .collect();
        Self {
            dir: TempDir::new().unwrap(),
            blocks: blocks.into_iter(),
            variables: Vec::new(),
        }
    }

    /// The next block, which must be in this language.
    #[track_caller]
    fn next(&mut self, language: &str) -> Block {
        let block = self.blocks.next().expect("the page goes on");
        assert_eq!(block.language, language, "{}", block.text);
        block
    }

    /// A program in the directory, with the variables.
    fn program(&self, name: &str) -> Command {
        let mut path = binary().parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut command = Command::new(name);
        command
            .env_clear()
            .env("PATH", path)
            .envs(self.variables.iter().cloned())
            .current_dir(&self.dir);
        command
    }

    /// Runs the next block by the shell.
    #[track_caller]
    fn shell(&mut self) -> Output {
        let script = self.next("sh").text;
        let output = self
            .program("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        output
    }

    /// Every JSON value that the next block prints.
    #[track_caller]
    fn answers(&mut self) -> Vec<Value> {
        let output = self.shell();
        let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
        values.map(Result::unwrap).collect()
    }

    /// Writes the next block to the file that the page names.
    fn file(&mut self, language: &str, name: &str) {
        let block = self.next(language);
        let named = block.file.as_deref().unwrap_or("app.mjs");
        assert_eq!(named, name, "{}", block.text);
        fs::write(self.dir.path().join(name), block.text).unwrap();
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.variables.push((name, value));
    }

    fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(known, _)| *known == name);
        &found.expect("it is set").1
    }
}

/// Starts the server by the command of the page, on a port of its own and with heartbeats that a
/// test can wait for.
fn serve(reader: &mut Reader, config: &str) -> Server {
    let line = reader.next("sh").text;
    assert_eq!(line, format!("streamgate serve --config {config}\n"));
    let mut command = reader.program("streamgate");
    command.args(["serve", "--config", config]);
    command.env("STREAMGATE_LISTEN", "127.0.0.1:0");
    command.env("STREAMGATE_POLICY_LEASE_S", "20");
    command.env("STREAMGATE_POLICY_HEARTBEAT_INTERVAL_S", "1");
    Server::spawn(command)
}

/// The key in what `streamgate key new` told people.
fn key_in(told: &[u8]) -> String {
    let told = String::from_utf8_lossy(told);
    let mut words = told.split_whitespace();
    words
        .find(|word| word.starts_with("sgk_"))
        .expect("a key")
        .to_owned()
}

#[test]
fn every_command_and_snippet_is_run() {
    let mut reader = Reader::new();
    let key = key_in(&reader.shell().stderr);
    let server = serve(&mut reader, "streamgate.toml");
    reader.set("STREAMGATE", server.url());
    reader.set("BACKEND_KEY", key);

    let minted = reader.answers();
    assert_eq!(minted[0]["user_id"], "ann", "{minted:?}");
    reader.set("TOKEN", minted[0]["token"].as_str().unwrap().to_owned());
    reader.file("js", "backend.mjs");

    let told = reader.answers();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0]["session"]["session_id"], "evening-1");
    assert_eq!(told[1]["active"], 1);
    assert_eq!(told[2]["sessions"][0]["device_name"], "Living room");

    reader.file("js", "player.mjs");
    reader.file("js", "app.mjs");
    plays(&reader);
    listens(&mut reader, &server);

    let issuers = reader.next("toml").text;
    accepts_tokens_of_an_issuer(&reader, &issuers);

    let told = reader.answers();
    assert_eq!(told[1]["renewed"], 1, "{told:?}");
    reader.shell();
    let document = fs::read(reader.dir.path().join("streamgate.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(reader.blocks.next().is_none(), "the page is at its end");
}

/// Runs the app of the page with the backend of the page.
fn plays(reader: &Reader) {
    let backend = Process::start(|port| {
        let mut command = reader.program("node");
        command.arg("backend.mjs").env("PORT", port.to_string());
        command
    });
    let script = include_str!("integrating/plays.mjs");
    fs::write(reader.dir.path().join("plays.mjs"), script).unwrap();
    let output = reader
        .program("node")
        .args(["plays.mjs", &backend.url()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "played\n", "{output:?}");
}

/// Runs the command that listens, until the session that it listens to is stopped.
fn listens(reader: &mut Reader, server: &Server) {
    let script = reader.next("sh").text;
    let key = reader.variable("BACKEND_KEY").to_owned();
    let session = "/v1/users/ann/sessions/evening-2";
    let ask = |method| call(server.address, method, session, Some(&key), None);
    assert_eq!(ask("PUT").status, 201);
    let events = reader.dir.path().join("events");
    let mut listening = reader
        .program("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .stdout(fs::File::create(&events).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the first renewal", || has_event(&events, "renewed"));
    assert!(has_event(&events, "session"));
    assert_eq!(ask("DELETE").status, 204);
    assert!(listening.wait().unwrap().success());
    assert!(has_event(&events, "ended"));
    let told = fs::read_to_string(&events).unwrap();
    assert!(told.contains(r#""reason":"stopped""#), "{told}");
}

fn has_event(events: &Path, name: &str) -> bool {
    let told = fs::read_to_string(events).unwrap();
    told.lines().any(|line| line == format!("event: {name}"))
}

/// The settings of the page are valid, and work with the keys in a file in place of their URL.
fn accepts_tokens_of_an_issuer(reader: &Reader, issuers: &str) {
    let config = reader.dir.path().join("streamgate.toml");
    let keys = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{keys}\n{issuers}")).unwrap();
    let check = reader
        .program("streamgate")
        .args(["config", "check", "--config", "streamgate.toml"])
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");

    let script = include_str!("integrating/identity_provider.mjs");
    fs::write(reader.dir.path().join("identity_provider.mjs"), script).unwrap();
    let made = reader
        .program("node")
        .arg("identity_provider.mjs")
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let token = String::from_utf8(made.stdout).unwrap();
    let with_file: Vec<&str> = issuers
        .lines()
        .map(|line| match line.starts_with("jwks_url") {
            true => r#"jwks_file = "jwks.json""#,
            false => line,
        })
        .collect();
    fs::write(&config, format!("{keys}\n{}\n", with_file.join("\n"))).unwrap();
    let mut command = reader.program("streamgate");
    command.args(["serve", "--config", "streamgate.toml"]);
    command.args(["--listen", "127.0.0.1:0", "--data-dir", "issuers"]);
    let server = Server::spawn(command);
    let start = |user: &str| {
        let head = format!(
            "PUT /v1/users/{user}/sessions/s HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             authorization: Bearer {}\r\n\r\n",
            server.address,
            token.trim()
        );
        exchange(server.address, head.as_bytes())
    };
    assert_eq!(start("ben").status, 403);
    let started = start("ann");
    assert_eq!(started.status, 201, "{started:?}");
    assert_eq!(started.json()["limit"], 4, "the plan of the token");
}
