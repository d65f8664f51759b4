//! Traces and error reports of the real process, received by a stand-in.

mod receiver;
mod reports;
mod traces;
