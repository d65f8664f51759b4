//! `docs/promises.md`: the tests that it names exist and are run, and the headers of test files agree with it.
//! By reading the sources, since running them is what the rest of the suite does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// How many promises there are.
const PROMISES: u32 = 13;

/// What a promise says that is not built yet.
const NOT_YET: &str = "Not yet:";

/// A promise of the page.
#[derive(Default)]
struct Promise {
    is_built: bool,
    /// The tests that hold it: path and name.
    tests: Vec<(String, String)>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The promises of the page, by their numbers.
fn promises() -> BTreeMap<u32, Promise> {
    let page = fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let mut promises = BTreeMap::new();
    for section in page.split("\n## ").skip(1) {
        let (number, text) = section.split_once(". ").expect("a number and a title");
        let tests = text.lines().filter_map(|line| {
            let test = line.strip_prefix("- `")?.strip_suffix('`')?;
            let (path, name) = test.split_once("::").expect("a path and a name");
            Some((path.to_owned(), name.to_owned()))
        });
        let promise = Promise {
            is_built: !text.contains(NOT_YET),
            tests: tests.collect(),
        };
        let twice = promises.insert(number.parse().unwrap(), promise);
        assert!(twice.is_none(), "promise {number} is there twice");
    }
    promises
}

/// Whether a source has a function of this name that is a test by its attributes, or one of the
/// tests of connections that run over plain TCP and over TLS.
fn has_test(source: &str, name: &str) -> bool {
    let mut lists = source.split("over_plain_and_tls! {").skip(1);
    let is_listed = lists.any(|list| {
        let names = list.split('}').next().unwrap_or_default();
        names.split(',').any(|one| one.trim() == name)
    });
    is_listed || is_marked(source, name)
}

/// Whether a source has a function of this name with the attribute of a test, and is not ignored.
fn is_marked(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let (plain, later) = (format!("fn {name}("), format!("async fn {name}("));
    let at = lines
        .iter()
        .position(|line| line.starts_with(&plain) || line.starts_with(&later));
    at.is_some_and(|at| {
        let above = lines[..at].iter().rev();
        let attributes: Vec<&str> = above
            .take_while(|line| line.starts_with('#') || line.starts_with("//"))
            .filter(|line| line.starts_with('#'))
            .copied()
            .collect();
        let is_test =
            |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        attributes.iter().any(is_test) && !attributes.iter().any(|line| line.contains("ignore"))
    })
}

/// Whether a source is compiled: the root of a target, or a module that another such source
/// declares.
fn is_compiled(source: &Path) -> bool {
    let mut module = source.with_extension("");
    if module.ends_with("main") || module.ends_with("lib") {
        return source.is_file();
    }
    if module.ends_with("mod") {
        module.pop();
    }
    let (dir, name) = (module.parent().unwrap(), module.file_name().unwrap());
    let mut parents = ["mod.rs", "main.rs", "lib.rs"]
        .map(|file| dir.join(file))
        .to_vec();
    parents.push(dir.with_extension("rs"));
    let name = name.to_str().unwrap();
    let mut declaring = parents.iter().filter(|parent| declares(parent, name));
    declaring.any(|parent| is_compiled(parent))
}

/// Whether a file declares a module of this name.
fn declares(file: &Path, name: &str) -> bool {
    let source = fs::read_to_string(file).unwrap_or_default();
    source.lines().any(|line| {
        let before = line.trim().strip_suffix(&format!("mod {name};"));
        before.is_some_and(|before| before.is_empty() || before.starts_with("pub"))
    })
}

#[test]
fn every_test_that_promises_md_names_exists() {
    let promises = promises();
    assert!(promises.keys().copied().eq(1..=PROMISES));
    let mut missing = Vec::new();
    for (number, promise) in &promises {
        assert_eq!(
            promise.is_built,
            !promise.tests.is_empty(),
            "promise {number}: what is built names tests, and only that"
        );
        for (path, name) in &promise.tests {
            let file = root().join(path);
            let source = fs::read_to_string(&file).unwrap_or_default();
            if !is_compiled(&file) || !has_test(&source, name) {
                missing.push(format!("{number}: {path}::{name}"));
            }
        }
    }
    assert!(missing.is_empty(), "no tests that run: {missing:#?}");
}

#[test]
fn an_ignored_test_and_one_that_is_not_compiled_hold_no_promise() {
    assert!(has_test("#[test]\n// Why.\nfn holds() {\n", "holds"));
    for ignored in [
        "#[ignore]\n#[test]",
        "#[tokio::test]\n#[ignore = \"slow\"]",
        "#[test]\n#[cfg_attr(unix, ignore)]",
    ] {
        assert!(
            !has_test(&format!("{ignored}\nfn holds() {{\n"), "holds"),
            "{ignored}"
        );
    }
    let dir = TempDir::new().unwrap();
    let at = |path: &str| dir.path().join(path);
    for (path, text) in [
        ("main.rs", "mod a;\n// mod b;\n"),
        ("a/mod.rs", "pub(crate) mod c;\nmod d;\n"),
        ("a/c.rs", ""),
        ("a/d.rs", "mod e;\n"),
        ("a/d/e.rs", ""),
        ("a/f.rs", ""),
        ("b/mod.rs", "mod c;\n"),
        ("b/c.rs", ""),
    ] {
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs::write(at(path), text).unwrap();
    }
    for compiled in ["main.rs", "a/mod.rs", "a/c.rs", "a/d.rs", "a/d/e.rs"] {
        assert!(is_compiled(&at(compiled)), "{compiled}");
    }
    for left_out in ["a/f.rs", "b/mod.rs", "b/c.rs", "lib.rs"] {
        assert!(!is_compiled(&at(left_out)), "{left_out}");
    }
}

/// The numbers that a comment names, as in "Promises 2 and 5: …".
fn numbers_in(line: &str) -> Vec<u32> {
    let Some(at) = line.find("Promise ").or_else(|| line.find("Promises ")) else {
        return Vec::new();
    };
    line[at..]
        .split(|c: char| !c.is_alphanumeric())
        .skip(1)
        .map_while(|word| match word {
            "and" | "" => Some(None),
            word => word.parse().ok().map(Some),
        })
        .flatten()
        .collect()
}

fn sources_under(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_under(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn test_files_that_name_a_promise_are_listed_in_promises_md() {
    let (root, promises) = (root(), promises());
    let mut sources = Vec::new();
    sources_under(&root.join("crates"), &mut sources);
    let mut claims = 0;
    let mut wrong = Vec::new();
    for source in sources {
        let path = source.strip_prefix(&root).unwrap().to_str().unwrap();
        // This file names promises to explain itself.
        if !path.contains("/tests/") || path.ends_with("promises/page.rs") {
            continue;
        }
        let text = fs::read_to_string(&source).unwrap();
        let comments = text.lines().filter(|line| line.trim().starts_with("//"));
        for number in comments.flat_map(numbers_in) {
            claims += 1;
            let promise = promises.get(&number);
            let named = promise.is_some_and(|it| it.tests.iter().any(|(at, _)| at == path));
            if !named {
                wrong.push(format!("{path} says that it holds promise {number}"));
            }
        }
    }
    assert!(claims > 10, "the headers are found: {claims}");
    assert!(wrong.is_empty(), "the page does not name {wrong:#?}");
}
