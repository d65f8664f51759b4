//! Session ids that the server makes. The only place that makes random ids.

use std::fmt;

use streamgate_clock::wall_ms;
use streamgate_core::SessionId;
use uuid::{Builder, Uuid};

/// Makes session ids for starts without one.
pub trait IdSource: Send + Sync + fmt::Debug + 'static {
    /// A new id: a UUID of version 7, so that ids sort by their time.
    fn session_id(&self) -> SessionId;

    /// The same as a UUID of version 4, for dialects whose clients expect one.
    fn session_id_v4(&self) -> SessionId;
}

/// Ids from the machine's clock and random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter")]
    fn session_id(&self) -> SessionId {
        // Not `Uuid::now_v7`, which panics before 1970. The random bytes of one version are those
        // of the other, version and variant aside, and those are overwritten.
        let random = Uuid::new_v4().into_bytes();
        let (_, random) = random.split_last_chunk().expect("ten of sixteen bytes");
        let now_ms = u64::try_from(wall_ms()).unwrap_or(0);
        let id = Builder::from_unix_timestamp_millis(now_ms, random);
        SessionId::from_uuid_bytes(id.into_uuid().into_bytes())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the adapter")]
    fn session_id_v4(&self) -> SessionId {
        SessionId::from_uuid_bytes(Uuid::new_v4().into_bytes())
    }
}
