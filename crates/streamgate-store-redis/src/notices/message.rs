//! What is sent on channels: eight bytes that name the node, a byte for the kind, and the rest.
//!
//! A node passes over kinds that it does not know, so that a later release may add some.

use streamgate_core::TenantId;

/// The length of the name of a node, in bytes.
const NODE_BYTES: usize = 8;

mod kind {
    pub(super) const COMMITTED: u8 = 1;
    pub(super) const TOLD: u8 = 2;
    pub(super) const LISTENS: u8 = 3;
    pub(super) const WHO_LISTENS: u8 = 4;
    pub(super) const INTRODUCES: u8 = 5;
}

/// Names a process, so that it knows its own messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId([u8; NODE_BYTES]);

impl NodeId {
    /// A name that no other node has.
    pub(super) fn fresh() -> Self {
        let mut bytes = [0; NODE_BYTES];
        getrandom::fill(&mut bytes).expect("the operating system has random bytes");
        Self(bytes)
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// A change that was committed, as its notice.
    Committed(&'a [u8]),
    /// Something that is no change.
    Told(&'a [u8]),
    /// Somebody listens to this tenant on the node; to users, if there is none.
    Listens(Option<TenantId>),
    /// Each node is to say who listens there, and how it is.
    WhoListens,
    /// The node says this of itself.
    Introduces(&'a [u8]),
}

impl Message<'_> {
    /// The bytes of this message of a node.
    pub(super) fn by(&self, node: NodeId) -> Vec<u8> {
        let (kind, rest) = match self {
            Self::Committed(notice) => (kind::COMMITTED, *notice),
            Self::Told(message) => (kind::TOLD, *message),
            Self::Listens(tenant) => {
                let tenant = tenant.as_ref().map_or("", TenantId::as_str);
                (kind::LISTENS, tenant.as_bytes())
            }
            Self::WhoListens => (kind::WHO_LISTENS, &[][..]),
            Self::Introduces(about) => (kind::INTRODUCES, *about),
        };
        let mut bytes = Vec::with_capacity(NODE_BYTES + 1 + rest.len());
        bytes.extend_from_slice(&node.0);
        bytes.push(kind);
        bytes.extend_from_slice(rest);
        bytes
    }
}

/// Reads a message; `None` for what is none, or of a kind that is not known.
pub(super) fn read(bytes: &[u8]) -> Option<(NodeId, Message<'_>)> {
    let (node, rest) = bytes.split_first_chunk::<NODE_BYTES>()?;
    let (kind, rest) = rest.split_first()?;
    let message = match *kind {
        kind::COMMITTED => Message::Committed(rest),
        kind::TOLD => Message::Told(rest),
        kind::LISTENS if rest.is_empty() => Message::Listens(None),
        kind::LISTENS => {
            let tenant = TenantId::new(std::str::from_utf8(rest).ok()?).ok()?;
            Message::Listens(Some(tenant))
        }
        kind::WHO_LISTENS => Message::WhoListens,
        kind::INTRODUCES => Message::Introduces(rest),
        _ => return None,
    };
    Some((NodeId(*node), message))
}

/// Splits what the scripts send to a tenant's channel: the name of the record, NUL, the message.
/// The name has a NUL of its own, between tenant and user.
pub(super) fn split_name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut nuls = bytes.iter().enumerate().filter(|(_, byte)| **byte == 0);
    let (at, _) = nuls.nth(1)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let (node, other) = (NodeId::fresh(), NodeId::fresh());
        assert_ne!(node, other);
        for message in [
            Message::Committed(b"notice"),
            Message::Committed(b""),
            Message::Told(b"\0"),
            Message::Listens(None),
            Message::Listens(Some(TenantId::default_tenant())),
            Message::WhoListens,
            Message::Introduces(b""),
            Message::Introduces(b"{}"),
        ] {
            assert_eq!(read(&message.by(node)), Some((node, message)));
        }
    }

    #[test]
    fn what_is_no_message_and_kinds_of_later_releases_are_passed_over() {
        for bytes in [
            &b""[..],
            b"12345678",
            b"12345678\xff",
            b"12345678\x03\xff",
            b"12345678\x00",
        ] {
            assert_eq!(read(bytes), None);
        }
    }

    #[test]
    fn a_name_and_its_message_are_told_apart() {
        let name = &b"sg:{default\0u}"[..];
        assert_eq!(
            split_name(b"sg:{default\0u}\0a\0b"),
            Some((name, &b"a\0b"[..]))
        );
        assert_eq!(split_name(b"sg:{default\0u}\0"), Some((name, &b""[..])));
        assert_eq!(split_name(b"sg:{default\0u}"), None);
        assert_eq!(split_name(b""), None);
    }
}
