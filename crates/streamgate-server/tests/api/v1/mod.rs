//! `/v1`: what every endpoint under it shares, then one module for each.

mod degraded;
mod events;
mod heartbeats;
mod import;
mod methods;
mod sessions;
mod store;
mod users;
