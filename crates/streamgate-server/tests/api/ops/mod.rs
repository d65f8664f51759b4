//! What operators and their machines ask.

mod backup;
mod docs;
mod health;
mod metric_reference;
mod metrics;
mod openapi;
