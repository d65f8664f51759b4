//! The socket of the service manager: a path, or on Linux an abstract name behind `@`.

use std::ffi::OsStr;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Connects to the socket. Called on the runtime.
pub(super) fn connect(name: &OsStr) -> Result<tokio::net::UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address(name)?)?;
    socket.set_nonblocking(true)?;
    tokio::net::UnixDatagram::from_std(socket)
}

fn address(name: &OsStr) -> Result<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)
        }
        _ => Err(Error::new(
            ErrorKind::Unsupported,
            "it is neither a path nor an abstract name",
        )),
    }
}
