//! Proxies that disturb what goes through them: [`tcp`] whatever it is, [`http`] call by call.

pub mod http;
pub mod tcp;
