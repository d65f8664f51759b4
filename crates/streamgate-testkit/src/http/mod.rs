//! An HTTP client for tests, in two forms: [`Client`] keeps a connection, as a player does, and
//! [`call`] makes one call without a runtime. Both give an [`Answer`].

mod answer;
mod blocking;
mod client;

pub use answer::{Answer, session_ids};
pub use blocking::{Request, call, exchange};
pub use client::{Client, Lost};
