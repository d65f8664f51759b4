//! `/compat/stream-requests/`.
