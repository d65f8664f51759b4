//! `/compat/concurrency-service/`.
