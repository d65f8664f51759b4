//! The hot paths. Each can be run any number of times, because it leaves its state as it was.

mod core;
mod embedded;
mod engine;
mod http;

use crate::Result;

/// A hot path.
#[derive(Debug)]
pub(crate) struct Path {
    /// What it goes through, and what is called.
    pub(crate) name: &'static str,
    /// How often it runs while it is counted, and before that, to warm up.
    pub(crate) repetitions: u64,
    /// The operations of one run.
    pub(crate) operations: u64,
    /// The HTTP calls of one run; the instructions of their client are subtracted.
    pub(crate) calls: u64,
    /// Prepares, and runs it twice this number of times.
    pub(crate) run: fn(u64) -> Result<()>,
}

/// The client's part of a call over HTTP.
pub(crate) const CLIENT: Path = path("client", 500, http::client_alone);

/// Every path that has a budget.
const ALL: [Path; 12] = [
    path("core/start", 1_000, core::start),
    path("core/start-refused", 1_000, core::start_refused),
    path("core/heartbeat", 1_000, core::heartbeat),
    path("core/stop", 1_000, core::stop),
    path("engine/heartbeat", 1_000, engine::heartbeat),
    path("engine/start-stop", 1_000, engine::start_stop),
    path("embedded/heartbeat", 5_000, embedded::heartbeat),
    path("embedded/start-stop", 500, embedded::start_stop),
    Path {
        calls: 1,
        ..path("http/heartbeat", 500, http::heartbeat)
    },
    Path {
        calls: 1,
        ..path("http/heartbeat-token", 500, http::heartbeat_token)
    },
    Path {
        calls: 2,
        ..path("http/start-stop", 500, http::start_stop)
    },
    Path {
        calls: 1,
        operations: http::BATCH,
        ..path("http/batch", 10, http::batch)
    },
];

/// A path of which one run is one operation.
const fn path(name: &'static str, repetitions: u64, run: fn(u64) -> Result<()>) -> Path {
    Path {
        name,
        repetitions,
        operations: 1,
        calls: 0,
        run,
    }
}

/// The path of this name, the client's part among them.
pub(crate) fn named(name: &str) -> Result<&'static Path> {
    let all = ALL.iter().chain([&CLIENT]);
    Ok(all
        .into_iter()
        .find(|path| path.name == name)
        .ok_or_else(|| format!("there is no path {name}"))?)
}

/// The paths whose names begin with one of these; all where there are none.
pub(crate) fn chosen(beginnings: &[String]) -> Result<Vec<&'static Path>> {
    let begins = |path: &Path, with: &String| path.name.starts_with(with.as_str());
    for beginning in beginnings {
        if !ALL.iter().any(|path| begins(path, beginning)) {
            let names = ALL.each_ref().map(|path| path.name).join(", ");
            return Err(format!("no path is named {beginning}; there are {names}").into());
        }
    }
    let is_chosen =
        |path: &&Path| beginnings.is_empty() || beginnings.iter().any(|it| begins(path, it));
    Ok(ALL.iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(beginnings: &[&str]) -> Vec<&'static str> {
        let beginnings: Vec<String> = beginnings.iter().map(|&text| text.to_owned()).collect();
        let chosen = chosen(&beginnings).unwrap();
        chosen.iter().map(|path| path.name).collect()
    }

    #[test]
    fn paths_are_chosen_by_the_beginnings_of_their_names() {
        assert_eq!(names(&[]).len(), ALL.len());
        assert_eq!(
            names(&["http/start", "engine/"]),
            ["engine/heartbeat", "engine/start-stop", "http/start-stop"]
        );
    }

    #[test]
    fn a_name_that_is_none_is_an_error_that_lists_the_others() {
        let error = chosen(&["core/".to_owned(), "cored".to_owned()]).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("no path is named cored; there are core/start,"),
            "{error}"
        );
        assert!(named("http").is_err());
    }

    #[test]
    fn every_path_can_be_run() {
        for path in ALL.iter().chain([&CLIENT]) {
            (path.run)(3).unwrap_or_else(|error| panic!("{}: {error}", path.name));
        }
    }
}
