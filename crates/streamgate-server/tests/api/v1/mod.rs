//! `/v1`: what every endpoint under it shares, then one module for each.

mod degraded;
mod events;
mod heartbeats;
mod import;
mod methods;
mod node;
mod refusals;
mod sessions;
mod stats;
mod store;
mod users;
