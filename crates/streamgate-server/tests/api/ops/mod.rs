//! What operators and their machines ask.

mod openapi;
