//! The Dockerfile, as far as it can be tried without a container engine: what it copies exists, and
//! what it runs works with the variables that it sets. `deploy/test/test_container.py`
//! builds and runs it.

use std::fs;

use serde_json::Value;
use streamgate_testkit::{Server, repository, run_with, streamgate};
use tempfile::TempDir;

/// The instructions of the Dockerfile: the word, and the rest in one line without comments.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository("Dockerfile")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let instructions = text.lines().filter_map(|line| line.trim().split_once(' '));
    instructions
        .map(|(word, rest)| {
            let rest: Vec<&str> = rest.split_whitespace().collect();
            (word.to_owned(), rest.join(" "))
        })
        .collect()
}

/// What stands behind an instruction, wherever it occurs.
fn all(word: &str) -> Vec<String> {
    let found = instructions().into_iter().filter(|(it, _)| it == word);
    found.map(|(_, rest)| rest).collect()
}

/// What stands behind an instruction that occurs once.
fn only(word: &str) -> String {
    let mut found = all(word);
    assert_eq!(found.len(), 1, "{word}: {found:?}");
    found.remove(0)
}

/// A command in the form of a JSON list.
fn command(text: &str) -> Vec<String> {
    let list = &text[text.find('[').expect("the form without a shell")..];
    serde_json::from_str(list).unwrap()
}

/// The variables that the image sets.
fn variables() -> Vec<(String, String)> {
    let set = only("ENV");
    let pairs = set.split(' ').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The images that stages begin from, unless a build names others. `scratch` is empty: no image.
fn images() -> Vec<String> {
    let defaults = all("ARG");
    let begins = all("FROM");
    let begins = begins.iter().map(|stage| stage.split(' ').next().unwrap());
    let image = |name: &str| {
        let argument = name.strip_prefix("${").unwrap().strip_suffix('}').unwrap();
        let default = defaults.iter().find_map(|it| {
            let (name, image) = it.split_once('=')?;
            (name == argument).then(|| image.to_owned())
        });
        default.unwrap_or_else(|| panic!("{argument} has no default"))
    };
    begins
        .filter(|name| *name != "scratch")
        .map(image)
        .collect()
}

#[test]
fn the_dockerfile_copies_files_that_exist_and_suffice_to_build() {
    let ignored = fs::read_to_string(repository(".dockerignore")).unwrap();
    let kept: Vec<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let mut copied = Vec::new();
    for sources in all("COPY").iter().filter(|it| !it.starts_with("--from")) {
        let mut paths: Vec<&str> = sources.split(' ').collect();
        paths.pop().expect("the last is where it goes");
        for path in paths {
            assert!(repository(path).exists(), "{path}");
            assert!(
                kept.contains(&path),
                "{path} is kept from the builder by .dockerignore"
            );
            copied.push(path.to_owned());
        }
    }
    let manifest = fs::read_to_string(repository("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let workspace = &manifest["workspace"];
    for member in workspace["members"].as_array().unwrap() {
        let directory = member.as_str().unwrap().split('/').next().unwrap();
        assert!(copied.iter().any(|path| path == directory), "{directory}");
    }
    let version = workspace["package"]["rust-version"].as_str().unwrap();
    let stages = images();
    assert!(
        stages[0].starts_with(&format!("rust:{version}-")),
        "{stages:?}"
    );
    assert!(
        stages[0].contains("-bookworm") && stages[1].contains("debian12"),
        "one libc"
    );
    let build = "cargo build --release --locked --package streamgate --features full ";
    assert!(only("RUN").contains(build));
}

#[test]
fn one_compiler_is_named_by_manifest_toolchain_file_and_instruction_budget() {
    let table = |path: &str| -> toml::Table {
        let text = fs::read_to_string(repository(path)).unwrap();
        text.parse().unwrap()
    };
    let manifest = table("Cargo.toml");
    let version = manifest["workspace"]["package"]["rust-version"].as_str();
    let toolchain = table("rust-toolchain.toml");
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert!(
        channel.starts_with(&format!("{}.", version.unwrap())),
        "{channel}"
    );
    let budget = table("measure/instructions/budget.toml");
    let compiler = budget["machine"]["compiler"].as_str().unwrap();
    assert!(
        compiler.starts_with(&format!("rustc {channel} ")),
        "{compiler}"
    );
}

#[test]
fn the_image_runs_unprivileged_and_stops_by_the_right_signal() {
    assert_eq!(only("STOPSIGNAL"), "SIGTERM");
    let (user, _) = only("USER")
        .split_once(':')
        .map(|(u, g)| (u.to_owned(), g.to_owned()))
        .unwrap();
    assert_ne!(user.parse::<u32>().unwrap(), 0);
    let volume = only("VOLUME");
    let owned = format!("--chown={}", only("USER"));
    let copied = all("COPY");
    assert!(
        copied
            .iter()
            .any(|it| it.contains(&owned) && it.ends_with(&volume))
    );
    assert!(variables().contains(&("STREAMGATE_DATA_DIR".to_owned(), volume)));
}

#[test]
fn the_image_without_keys_refuses_to_start_and_says_what_to_do() {
    let started = [command(&only("ENTRYPOINT")), command(&only("CMD"))].concat();
    let installed = all("COPY").into_iter().any(|it| it.ends_with(&started[0]));
    assert!(installed, "{started:?}");
    let arguments: Vec<&str> = started[1..].iter().map(String::as_str).collect();
    let variables = variables();
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let said = run_with(&arguments, &variables).failed(2);
    assert!(said.contains("STREAMGATE_ALLOW_ANONYMOUS=true"), "{said}");
}

#[test]
fn the_image_set_to_open_serves_and_passes_its_health_check() {
    let dir = TempDir::new().unwrap();
    let listen = |port: &str| {
        let variables = variables();
        let listen = variables
            .iter()
            .find(|(name, _)| name == "STREAMGATE_LISTEN");
        listen.unwrap().1.replace("8080", port)
    };
    assert_eq!(listen("8080"), format!("0.0.0.0:{}", only("EXPOSE")));
    let started = command(&only("CMD"));
    let mut serve = streamgate(&[started[0].as_str()]);
    serve
        .envs(variables())
        .env("STREAMGATE_LISTEN", listen("0"))
        .env("STREAMGATE_DATA_DIR", dir.path())
        .env("STREAMGATE_ALLOW_ANONYMOUS", "true");
    let mut server = Server::spawn(serve);
    let port = server.address.port().to_string();
    server.address.set_ip([127, 0, 0, 1].into());
    assert_eq!(
        server.call("GET", "/v1/users", None).json()["users"],
        Value::Array(vec![])
    );

    let check = command(&only("HEALTHCHECK"));
    assert_eq!(check[..1], command(&only("ENTRYPOINT")));
    let arguments: Vec<&str> = check[1..].iter().map(String::as_str).collect();
    let at = listen(&port);
    let healthy = run_with(&arguments, &[("STREAMGATE_LISTEN", &at)]);
    assert_eq!(healthy.ok(), "ready\n");
}
