//! `/compat/user-streams/`.
