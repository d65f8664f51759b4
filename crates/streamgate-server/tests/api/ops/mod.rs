//! What operators and their machines ask.

mod docs;
mod health;
mod metrics;
mod openapi;
