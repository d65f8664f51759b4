//! What operators and their machines ask.

mod backup;
mod client_types;
mod docs;
mod health;
mod metric_reference;
mod metrics;
mod openapi;
