//! Session ids that the server makes. The only place that makes random ids.

use std::fmt;

use streamgate_core::SessionId;
use uuid::Uuid;

/// Makes session ids for starts that bring none.
pub trait IdSource: Send + Sync + fmt::Debug + 'static {
    /// An id that was never made before: a UUID of version 7, so that ids sort by their time.
    fn session_id(&self) -> SessionId;

    /// The same as a UUID of version 4, for dialects whose clients expect one.
    fn session_id_v4(&self) -> SessionId;
}

/// Ids from the machine's clock and random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter that everything else uses"
    )]
    fn session_id(&self) -> SessionId {
        SessionId::from_uuid_bytes(Uuid::now_v7().into_bytes())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter that everything else uses"
    )]
    fn session_id_v4(&self) -> SessionId {
        SessionId::from_uuid_bytes(Uuid::new_v4().into_bytes())
    }
}
