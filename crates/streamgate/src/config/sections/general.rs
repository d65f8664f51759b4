//! The top of the file: address, data directory, calls without a key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::config::reader::{Ask, Reader};
use crate::config::value::check_path;

/// The default address of `streamgate serve`: this machine only.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The default data directory.
const DATA_DIR_DEFAULT: &str = "./streamgate-data";

/// The settings that stand above all sections.
#[derive(Debug, Clone)]
pub(crate) struct General {
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// The directory of the embedded store.
    pub(crate) data_dir: PathBuf,
    /// Whether a server without keys may listen beyond loopback.
    pub(crate) allow_anonymous: bool,
}

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> General {
    reader.section("", "");
    let listen = Ask(
        "listen",
        "The IP address and port to listen on. An address beyond loopback (127.0.0.1, [::1]) \
         requires [[keys]] or allow_anonymous. Port 0 takes any free port.",
    );
    let data_dir = Ask(
        "data_dir",
        "The directory of the embedded store. It is created if missing; only one process at a time \
         may use it.",
    );
    let allow_anonymous = Ask(
        "allow_anonymous",
        "Serve without API keys beyond loopback. Only for networks in which every client may end \
         any session.",
    );
    General {
        listen: reader
            .parsed(listen, "an IP address and port", Some(LISTEN_DEFAULT))
            .unwrap_or(LISTEN_DEFAULT),
        data_dir: reader
            .text(
                data_dir,
                "a path",
                Some(DATA_DIR_DEFAULT),
                |text| match text {
                    "" => Err("must not be empty".to_owned()),
                    _ => check_path(text),
                },
            )
            .unwrap_or_default()
            .into(),
        allow_anonymous: reader.flag(allow_anonymous, false),
    }
}
