//! `/compat/stream-log/`.
