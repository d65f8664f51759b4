//! One session before the load: it shows whether the server can be reached, accepts the key and is
//! a Streamgate, and which limits it has.

use serde_json::Value;
use streamgate_loadgen::{Origin, Population, Session};
use ureq::http::Method;

use crate::client::{Client, unexpected, user_path};
use crate::exit::{Code, Failure};

/// Settings of a server.
#[derive(Debug)]
pub(crate) struct Probed {
    /// How many sessions it admits of a user; not known while it cannot use its store.
    pub(crate) limit: Option<u64>,
    /// How often players should call, in seconds.
    pub(crate) heartbeat_interval_s: f64,
}

/// Starts a session of a user that has none, and stops it.
pub(crate) fn probe(client: &Client, prefix: &str, origin: Origin) -> Result<Probed, Failure> {
    let population = Population::new(prefix, origin.seed, origin.now_ms)
        .map_err(|error| Failure::new(Code::Usage, format!("--prefix {prefix:?}: {error}")))?;
    // No load comes as far as the last user.
    let session = Session {
        user: u64::MAX,
        number: u64::MAX,
    };
    let (mut user, mut id) = (Vec::new(), Vec::new());
    population.write_user(session.user, &mut user);
    population.write_session(session, &mut id);
    let text = |bytes| String::from_utf8(bytes).expect("ids of a population are ASCII");
    let path = format!("{}/sessions/{}", user_path(&text(user)), text(id));

    let started = client.call(&Method::PUT, &path, None)?;
    client.call(&Method::DELETE, &path, None)?;
    let interval = started.get("heartbeat_interval_s").and_then(Value::as_f64);
    Ok(Probed {
        limit: started.get("limit").and_then(Value::as_u64),
        heartbeat_interval_s: interval.ok_or_else(|| unexpected(client))?,
    })
}
