//! The pure core of Streamgate: may this user start another stream?
//!
//! Everything that Streamgate promises about the limit is decided here, by [`decide`]: a function
//! of a user's [`Ledger`], a [`Policy`], a command and the time. It does no I/O, reads no clock and
//! makes no random number; ids and times come in as arguments. So a rule is written once, tested
//! exhaustively, and holds on every store.
//!
//! What is *not* here: where ledgers are kept (`streamgate-store`), how a decision is committed and
//! retried (`streamgate-engine`), and every wire format but the stored one (`streamgate-server`).

pub mod admission;
pub mod bounds;
pub mod codec;
pub mod event;
pub mod ids;
pub mod ledger;
pub mod metadata;
pub mod policy;
pub mod session;
pub mod time;

pub use admission::{Command, Decision, decide};
pub use event::{Durability, Event};
pub use ids::{SessionId, TenantId, UserId, UserKey};
pub use ledger::Ledger;
pub use metadata::{Attributes, SessionMetadata};
pub use policy::{AtLimit, LimitSource, OverLimit, Policy};
pub use session::{EndReason, Ending, Held, Session};
pub use time::{Moment, Seconds, Stall, Timestamp};
