//! `[cors]`: web pages of other origins that may call.

use std::time::Duration;

use streamgate_server::{AllowedOrigins, CorsSettings};

use crate::config::reader::{Ask, Reader};

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> CorsSettings {
    reader.section("[cors]", "Web pages of other origins that may call.");
    let allowed_origins = Ask(
        "allowed_origins",
        "The origins whose pages may call, as browsers send them (\"https://player.example.com\"), \
         or [\"*\"] for all. Empty: no page of another origin may call. On a server without API \
         keys their hosts are also accepted in the Host header, beside its address, localhost and \
         names without a dot; any other Host, or a change requested by a page of another origin, \
         is 403.",
    );
    let origins = reader.texts(allowed_origins, "list of origins", check_origin);
    let allowed_origins = if origins.is_empty() {
        AllowedOrigins::None
    } else if origins == [ANY] {
        AllowedOrigins::Any
    } else {
        if origins.iter().any(|origin| origin == ANY) {
            reader.wrong_here("allowed_origins", "has \"*\" beside other origins");
        }
        AllowedOrigins::List(origins)
    };
    let max_age_s = Ask(
        "max_age_s",
        "How long a browser may cache a preflight answer, in seconds. Without it browsers send a \
         preflight before nearly every heartbeat. Browsers cap it at two hours or a day.",
    );
    let max_age_s = reader.whole(max_age_s, MAX_AGE_DEFAULT_S, 0..=86_400);
    CorsSettings {
        allowed_origins,
        max_age: Some(Duration::from_secs(max_age_s.into())),
    }
}

/// The maximum of Chrome.
const MAX_AGE_DEFAULT_S: u32 = 7_200;

/// Stands for every origin.
const ANY: &str = "*";

fn check_origin(origin: &str) -> Result<(), String> {
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let is_origin = host.is_some_and(|host| {
        let is_part = |c: char| c.is_ascii_graphic() && !"/?#@ ".contains(c);
        !host.is_empty() && host.chars().all(is_part)
    });
    if origin == ANY || is_origin {
        return Ok(());
    }
    Err(format!(
        "must be origins such as \"https://player.example.com\", without a path, is {origin:?}"
    ))
}
