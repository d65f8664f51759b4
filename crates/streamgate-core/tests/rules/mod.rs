//! The rules of the core and its byte form.

mod above_limit;
mod adopt;
mod bounded;
mod codec;
mod damaged;
mod endings;
mod evict_min_age;
mod exhaustive;
mod golden;
mod ids;
mod import;
mod in_doubt;
mod leases;
mod metadata;
mod newest;
mod one_device;
mod policy;
mod properties;
mod reset;
mod slack;
mod stalls;
mod started_with;
mod timestamps;
