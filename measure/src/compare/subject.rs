//! What is compared: who does what, and how hard it is pushed.

use std::path::PathBuf;

use streamgate_loadgen::figures;

use super::server::Kind;
use crate::Result;
use crate::rivals::Rival;
use crate::servers::BATCH;

/// Something that is measured in every round.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Subject {
    /// What it is called in the JSON file and by `--only`, where it has no number of a build.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
    pub(crate) by: By,
    pub(crate) doing: Doing,
    /// Requests a second, in an open loop; a closed loop without.
    pub(crate) per_second: Option<f64>,
    /// Which build of Streamgate it is; 1 is the one of this tree.
    pub(crate) build: usize,
}

/// Who does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// A server that is called.
    Server(Kind),
    /// Nobody but a thread with a file: what no server that keeps things can go below.
    Disk {
        /// Every processor is busy, as under load.
        is_busy: bool,
    },
}

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Start,
    Heartbeat,
    Stop,
    /// Many heartbeats in a call, as a gateway bundles them; each counts as one.
    Batch,
}

impl Doing {
    /// The only answer that counts.
    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Start => "201",
            Self::Heartbeat | Self::Batch => "200",
            Self::Stop => "204",
        }
    }

    const fn id(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Heartbeat => "heartbeat",
            Self::Stop => "stop",
            Self::Batch => "batch",
        }
    }

    fn name(self) -> String {
        match self {
            Self::Batch => format!("heartbeats in batches of {}", figures::count(BATCH)),
            _ => self.id().to_owned(),
        }
    }
}

/// The rates of open loops, requests a second.
pub(crate) const SLOWER: f64 = 20_000.0;
pub(crate) const FASTER: f64 = 50_000.0;

/// Everything that is compared, in the order in which it runs. Streamgate may have several builds.
pub(crate) fn all(streamgate: &[PathBuf]) -> Vec<Subject> {
    use Doing::{Batch, Heartbeat, Start, Stop};
    let mut all = Vec::new();
    let bare = |rival| By::Server(Kind::Bare(rival));
    let axum = || ("axum", "bare axum", bare(Rival::Axum));
    let hyper = || ("hyper", "bare hyper", bare(Rival::Hyper));
    all.push(Subject::new(axum(), Start, None));
    all.push(Subject::new(axum(), Heartbeat, None));
    all.push(Subject::new(hyper(), Start, None));
    for (doing, per_second) in [
        (Heartbeat, None),
        (Start, None),
        (Stop, None),
        (Batch, None),
        (Start, Some(SLOWER)),
        (Start, Some(FASTER)),
    ] {
        for (build, binary) in (1..).zip(streamgate) {
            let by = By::Server(Kind::Streamgate(binary.clone()));
            let one = Subject::new(("streamgate", "Streamgate", by), doing, per_second);
            all.push(one.of_build(build));
        }
    }
    for rate in [SLOWER, FASTER] {
        all.push(Subject::new(axum(), Start, Some(rate)));
    }
    for rate in [SLOWER, FASTER] {
        for (id, name, is_busy) in [
            ("disk", "the disk alone", false),
            ("busy-disk", "the disk, processors busy", true),
        ] {
            all.push(Subject::new(
                (id, name, By::Disk { is_busy }),
                Start,
                Some(rate),
            ));
        }
    }
    for (id, name, appendfsync) in [
        ("redis-none", "Redis, no AOF", None),
        ("redis-everysec", "Redis, AOF everysec", Some("everysec")),
        ("redis-always", "Redis, AOF always", Some("always")),
    ] {
        let redis = || (id, name, By::Server(Kind::Redis(appendfsync)));
        all.push(Subject::new(redis(), Start, None));
        all.push(Subject::new(redis(), Heartbeat, None));
    }
    let always = (
        "redis-always",
        "Redis, AOF always",
        By::Server(Kind::Redis(Some("always"))),
    );
    all.push(Subject::new(always, Start, Some(SLOWER)));
    all
}

impl Subject {
    fn new((id, name, by): (&str, &str, By), doing: Doing, per_second: Option<f64>) -> Self {
        let (mut id, mut name) = (
            format!("{id}-{}", doing.id()),
            format!("{name}, {}", doing.name()),
        );
        if let Some(rate) = per_second {
            id += &format!("-at-{rate}");
            name += &format!(" at {}/s", figures::rate(rate));
        }
        Self {
            id,
            name,
            by,
            doing,
            per_second,
            build: 1,
        }
    }

    /// The same of another build, which has another name.
    fn of_build(mut self, build: usize) -> Self {
        self.build = build;
        if build > 1 {
            self.id += &format!("@{build}");
            self.name += &format!(", build {build}");
        }
        self
    }

    /// The server that is called, if there is one.
    pub(crate) fn server(&self) -> Option<&Kind> {
        match &self.by {
            By::Server(kind) => Some(kind),
            By::Disk { .. } => None,
        }
    }

    /// Whether there is a server that keeps what it is told.
    pub(crate) fn keeps_sessions(&self) -> bool {
        self.server()
            .is_some_and(|kind| !matches!(kind, Kind::Bare(_)))
    }

    /// Whether the word is its id, or the beginning of it up to a hyphen. Builds are not
    /// told apart: who names one wants to compare it.
    fn is_named_by(&self, word: &str) -> bool {
        let id = self.id.split('@').next().unwrap_or_default();
        let rest = id.strip_prefix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// Those that are named; all of them, where none is.
///
/// # Errors
///
/// Fails if a word names nothing: a typing error must not look like a result.
pub(crate) fn only(all: Vec<Subject>, words: &[String]) -> Result<Vec<Subject>> {
    for word in words {
        if !all.iter().any(|subject| subject.is_named_by(word)) {
            let ids: Vec<&str> = all.iter().map(|subject| subject.id.as_str()).collect();
            let ids = ids.join(", ");
            return Err(format!("--only {word} names none of: {ids}").into());
        }
    }
    let is_named =
        |subject: &Subject| words.is_empty() || words.iter().any(|word| subject.is_named_by(word));
    Ok(all.into_iter().filter(is_named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(words: &[&str]) -> Result<Vec<String>> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let chosen = only(all(&["same".into(), "same".into()]), &words)?;
        Ok(chosen.into_iter().map(|subject| subject.id).collect())
    }

    #[test]
    fn every_subject_has_an_id_of_its_own() {
        let mut ids = named(&[]).unwrap();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), count), (28, 28));
    }

    #[test]
    fn some_can_be_chosen_and_what_is_none_is_an_error() {
        assert_eq!(
            named(&["streamgate-start-at-50000", "hyper"]).unwrap(),
            [
                "hyper-start",
                "streamgate-start-at-50000",
                "streamgate-start-at-50000@2"
            ]
        );
        let redis = named(&["redis"]).unwrap();
        assert_eq!(redis.len(), 7);
        assert_eq!(
            named(&["axum-start"]).unwrap(),
            ["axum-start", "axum-start-at-20000", "axum-start-at-50000"]
        );
        let error = named(&["axum", "redi"]).unwrap_err().to_string();
        assert!(
            error.contains("redi") && error.contains("redis-none-start"),
            "{error}"
        );
    }
}
