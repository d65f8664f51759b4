//! `[pages]`: the pages for people.

use streamgate_server::PagesSettings;

use crate::config::reader::{Ask, Reader};
use crate::config::sections::general::General;

/// Reads the section.
pub(crate) fn read(reader: &mut Reader, general: &General) -> PagesSettings {
    reader.section(
        "[pages]",
        "Pages for people. They require no key and hold no data: what they show comes from the \
         API, with the credential that their user enters. The front page is at / unless a dialect \
         is; AWS Lambda serves none.",
    );
    let demo = Ask(
        "demo",
        "Whether to serve /demo/, the player page of an imaginary film service. Default: true on \
         loopback, false on other addresses.",
    );
    let console = Ask(
        "console",
        "Whether to serve /console/, for operators and support.",
    );
    // An IPv4-mapped IPv6 address counts as its IPv4 address.
    let is_local = general.listen.ip().to_canonical().is_loopback();
    PagesSettings {
        front: true,
        demo: reader.flag(demo, is_local),
        console: reader.flag(console, true),
    }
}
