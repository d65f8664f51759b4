//! Settings: every one is a key of a TOML file, an environment variable and a flag.
//!
//! A flag wins over a variable, a variable over the file, the file over the default. Everything is
//! parsed once, at start, and everything that is wrong is reported at once, each with the place it
//! came from. `docs/adr/0003-settings.md` says why no crate does this.
//!
//! What is *not* here: what a setting does. The engine, the store and the server take plain values.

mod advice;
mod changes;
mod deprecated;
mod entry;
mod file;
mod foreign;
mod generated;
mod layers;
mod reader;
pub(crate) mod sections;
mod show;
#[cfg(test)]
mod tests;
mod unknown;
mod value;
mod value_types;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use streamgate_core::Policy;
use streamgate_engine::{EngineSettings, FailMode};
use streamgate_server::{NodeSettings, ServerSettings};

pub(crate) use changes::changed;
use deprecated::EarlierName;
pub(crate) use entry::{KeyPath, Origin, Problem};
pub(crate) use generated::{default_file, reference};
use layers::Inputs;
pub(crate) use layers::{LISTS, list_of};
use reader::{Declared, Reader, Section};
use sections::general::General;
use sections::log::Log;
use sections::sentry::Sentry;
use sections::store::StoreSettings;
use sections::tls::Tls;
use sections::traces::Traces;
use sections::{
    compat, cors, engine, general, http, issuers, keys, log, metrics, pages, policy, push,
    rate_limit, sentry, store, sweep, tls, tokens, traces,
};
pub(crate) use show::{effective, not_default};
pub(crate) use value::{bare, bare_path};

/// The variable that names the configuration file.
const CONFIG_VARIABLE: &str = "STREAMGATE_CONFIG";

/// All settings, within their bounds.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Address, data directory, openness.
    pub(crate) general: General,
    /// For the server, API keys included.
    pub(crate) server: ServerSettings,
    /// TLS of the server; `None` if it speaks none.
    pub(crate) tls: Option<Tls>,
    /// Whose viewer tokens are accepted.
    pub(crate) tokens: streamgate_tokens::Settings,
    /// Where records are kept.
    pub(crate) store: StoreSettings,
    /// What the format mark of a remote store is raised to.
    pub(crate) store_format: u8,
    /// For every decision.
    pub(crate) policy: Policy,
    /// For the engine.
    pub(crate) engine: EngineSettings,
    /// The answers while the store cannot be used.
    pub(crate) fail_mode: FailMode,
    /// Logs.
    pub(crate) log: Log,
    /// Traces.
    pub(crate) traces: Traces,
    /// Error reports.
    pub(crate) sentry: Sentry,
}

impl Settings {
    /// How URLs of the server begin.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// The settings, and what was declared and read on the way.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    sections: Vec<Section>,
    declared: Vec<Declared>,
    earlier_names: Vec<EarlierName>,
}

impl Loaded {
    /// What an operator should change although the server starts: deprecated names, and settings
    /// that work badly together. A sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let deprecated = self.earlier_names.iter().flat_map(EarlierName::warnings);
        let mut warnings: Vec<String> = deprecated.map(|it| it.to_string()).collect();
        warnings.append(&mut advice::of(&self.settings));
        warnings
    }

    /// Replaces how the settings of certain names were declared and read. The caller replaces their
    /// values.
    pub(crate) fn take(&mut self, from: &Self, is_taken: impl Fn(&str) -> bool) {
        let is_taken = |it: &&Declared| is_taken(&it.path.to_string());
        let taken = from.declared.iter().filter(is_taken).cloned();
        self.declared.retain(|it| !is_taken(&it));
        self.declared.extend(taken);
    }
}

/// Where settings may be set, before anything is read: what the command line says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// The file named by a flag.
    pub(crate) file: Option<PathBuf>,
    /// Flags that are settings: path, value, and what the flag is called.
    pub(crate) flags: Vec<(KeyPath, String, String)>,
}

/// Loads the settings of this process.
///
/// # Errors
/// Everything that is wrong with them.
pub(crate) fn load(sources: Sources) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Vec::new();
    let variables = variables(&mut problems);
    let named = sources
        .file
        .map(|file| (file, Origin::Flag("--config".to_owned())));
    let named = named.or_else(|| {
        let name = variables.get(CONFIG_VARIABLE)?.trim();
        let origin = Origin::Variable(CONFIG_VARIABLE.to_owned());
        (!name.is_empty()).then(|| (PathBuf::from(name), origin))
    });
    let file = named.and_then(|(path, origin)| {
        let Some(text) = path.to_str() else {
            return read_file(&path, &mut problems); // Not all names of files are UTF-8.
        };
        match bare_path(text) {
            Ok(path) => read_file(Path::new(path), &mut problems),
            Err(why) => {
                problems.push(Problem::at(origin, why));
                None
            }
        }
    });
    let inputs = Inputs {
        file,
        variables,
        flags: sources.flags,
    };
    parse(inputs, problems)
}

/// The settings of a process without file, variables and flags.
pub(crate) fn defaults() -> Loaded {
    parse(Inputs::default(), Vec::new()).expect("every default is within its bounds")
}

/// Parses settings. Only `inputs` count, and the files that they name.
fn parse(inputs: Inputs, mut problems: Vec<Problem>) -> Result<Loaded, Vec<Problem>> {
    let layers = layers::Layers::new(inputs, &mut problems);
    let mut reader = Reader::new(layers, problems);
    let settings = read(&mut reader);
    reader.report_unknown();
    if let Err(error) = settings.policy.clone().checked()
        && reader.problems.is_empty()
    {
        reader
            .problems
            .push(Problem::whole(format!("policy: {error}")));
    }
    if reader.problems.is_empty() {
        let mut loaded = Loaded {
            settings,
            sections: reader.sections,
            declared: reader.declared,
            earlier_names: reader.earlier_names,
        };
        loaded.settings.server.node = NodeSettings {
            store: loaded.settings.store.kind(),
            changed: not_default(&loaded),
        };
        Ok(loaded)
    } else {
        entry::sort(&mut reader.problems);
        Err(reader.problems)
    }
}

/// Reads every section, in the order in which they are documented.
fn read(reader: &mut Reader) -> Settings {
    let general = general::read(reader);
    let policy = policy::read(reader);
    let keys = keys::read(reader);
    let own = tokens::read(reader);
    let tokens = issuers::read(reader, own);
    let (store, store_format) = store::read(reader, &general);
    let http = http::read(reader);
    let tls = tls::read(reader);
    let cors = cors::read(reader);
    let push = push::read(reader);
    let pages = pages::read(reader, &general);
    let rate_limit = rate_limit::read(reader);
    let log = log::read(reader);
    let traces = traces::read(reader);
    let sentry = sentry::read(reader);
    let metrics_require_key = metrics::read(reader);
    let compat = compat::read(reader);
    let (deadline, fail_mode) = engine::read(reader);
    let engine = EngineSettings {
        deadline,
        sweep_interval: sweep::read(reader),
    };
    let listen = general.listen.ip();
    Settings {
        general,
        server: ServerSettings {
            listen: Some(listen),
            keys,
            tokens: None,
            rate_limit,
            cors,
            http,
            push,
            pages,
            metrics_require_key,
            compat,
            audit: log.audit,
            node: NodeSettings::default(),
            tracer: None,
        },
        tls,
        tokens,
        store,
        store_format,
        policy,
        engine,
        fail_mode,
        log,
        traces,
        sentry,
    }
}

/// The environment variables that can be settings.
fn variables(problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue; // No setting has such a name.
        };
        if !name.starts_with(entry::VARIABLE_PREFIX) && name != layers::RUST_LOG {
            continue;
        }
        match value.into_string() {
            Ok(value) => {
                variables.insert(name, value);
            }
            Err(_) => problems.push(Problem::at(Origin::Variable(name), "is not valid UTF-8")),
        }
    }
    variables
}

fn read_file(path: &Path, problems: &mut Vec<Problem>) -> Option<(String, String)> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Some((name, text)),
        Err(error) => {
            problems.push(Problem::whole(format!(
                "the configuration file {name} cannot be read: {error}"
            )));
            None
        }
    }
}
