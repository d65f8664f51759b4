//! Viewer tokens: forged ones, and those of issuers whose keys change or are gone.

mod cache;
mod claims;
mod forged;
mod minting;
mod remote;
mod rotation;
