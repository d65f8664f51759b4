//! Environment variables that begin like settings but are set by platforms.
//!
//! Kubernetes sets variables for every Service of a namespace, and Docker for every linked
//! container, each named after the Service: `STREAMGATE_SERVICE_HOST` for a Service `streamgate`,
//! `STREAMGATE_REDIS_PORT` for `streamgate-redis`. Compose passes on the image names of its `.env`
//! file. None of them is a misspelt setting, so none is reported. The value decides if the name
//! alone could be a misspelt setting (`STREAMGATE_PORT=9000`).

use std::collections::BTreeMap;

use super::entry::VARIABLE_PREFIX;

/// What compose files call the image and its version.
const OF_IMAGES: [&str; 3] = ["IMAGE", "TAG", "VERSION"];

/// Protocols of Services.
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Whether a variable that is no setting was set by a platform. `all` are the variables that begin
/// as settings do.
pub(crate) fn is_foreign(name: &str, all: &BTreeMap<String, String>) -> bool {
    let (Some(rest), Some(value)) = (name.strip_prefix(VARIABLE_PREFIX), all.get(name)) else {
        return false;
    };
    OF_IMAGES.contains(&rest)
        || rest.starts_with("IMAGE_")
        || is_service_link(rest, value)
        || is_container_link(rest, value, all)
}

/// `[NAME_]SERVICE_HOST`, `[NAME_]SERVICE_PORT[_PORTNAME]`, `[NAME_]PORT` with an address, and
/// `[NAME_]PORT_80_TCP[_ADDR]`.
fn is_service_link(rest: &str, value: &str) -> bool {
    let parts: Vec<&str> = rest.split('_').collect();
    let is_here = |at: usize| match &parts[at..] {
        ["SERVICE", "HOST"] => true,
        ["SERVICE", "PORT", ..] => value.parse::<u16>().is_ok(),
        ["PORT"] => is_address(value),
        ["PORT", port, protocol] => is_port(port, protocol),
        [
            "PORT",
            port,
            protocol,
            "PROTO" | "PORT" | "ADDR" | "START" | "END",
        ] => is_port(port, protocol),
        _ => false,
    };
    (0..parts.len()).any(is_here)
}

fn is_port(port: &str, protocol: &str) -> bool {
    port.parse::<u16>().is_ok() && PROTOCOLS.contains(&protocol)
}

/// `tcp://10.0.0.5:8080`
fn is_address(value: &str) -> bool {
    let scheme = value.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        PROTOCOLS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(scheme))
    })
}

/// Docker's `[ALIAS_]NAME=/web/alias`, and the variables of that container, `[ALIAS_]ENV_…`.
fn is_container_link(rest: &str, value: &str, all: &BTreeMap<String, String>) -> bool {
    let is_link = |alias: &str, value: &str| {
        value.starts_with('/') && (alias.is_empty() || alias.ends_with('_'))
    };
    if let Some(alias) = rest.strip_suffix("NAME") {
        return is_link(alias, value);
    }
    rest.match_indices("ENV_").any(|(at, _)| {
        let alias = &rest[..at];
        let link = all.get(&format!("{VARIABLE_PREFIX}{alias}NAME"));
        link.is_some_and(|value| is_link(alias, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(variables: &[(&str, &str)]) -> Vec<String> {
        let all: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| (format!("STREAMGATE_{name}"), (*value).to_owned()))
            .collect();
        let found = all.keys().filter(|name| is_foreign(name, &all));
        found
            .map(|name| name["STREAMGATE_".len()..].to_owned())
            .collect()
    }

    fn assert_foreign(variables: &[(&str, &str)]) {
        let mut expected: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        assert_eq!(foreign(variables), expected);
    }

    #[test]
    fn service_links_of_kubernetes_are_known_for_every_service_that_is_named_so() {
        let of_one = [
            ("SERVICE_HOST", "10.0.0.5"),
            ("SERVICE_PORT", "8080"),
            ("SERVICE_PORT_HTTP", "8080"),
            ("SERVICE_PORT_HTTP_METRICS", "8080"),
            ("PORT", "tcp://10.0.0.5:8080"),
            ("PORT_8080_TCP", "tcp://10.0.0.5:8080"),
            ("PORT_8080_TCP_PROTO", "tcp"),
            ("PORT_8080_TCP_PORT", "8080"),
            ("PORT_8080_TCP_ADDR", "10.0.0.5"),
            ("PORT_53_UDP", "udp://10.0.0.5:53"),
            ("PORT_53_UDP_ADDR", "fd00::5"),
            ("PORT_7_SCTP_ADDR", "10.0.0.5"),
        ];
        assert_foreign(&of_one);
        for service in ["REDIS_", "REDIS_MASTER_", "SERVICE_", "PORT_", "2_"] {
            let names: Vec<(String, &str)> = of_one
                .iter()
                .map(|(name, value)| (format!("{service}{name}"), *value))
                .collect();
            let names: Vec<(&str, &str)> = names.iter().map(|(n, v)| (n.as_str(), *v)).collect();
            assert_foreign(&names);
        }
    }

    #[test]
    fn links_of_docker_and_names_of_images_are_known() {
        assert_foreign(&[
            ("NAME", "/web/streamgate"),
            ("ENV_PATH", "/bin"),
            ("ENV_GPG_KEY", "x"),
            ("PORT", "tcp://172.17.0.5:8080"),
            ("PORT_8080_TCP_START", "tcp://172.17.0.5:8080"),
            ("PORT_8080_TCP_END", "tcp://172.17.0.5:8090"),
            ("DB_NAME", "/web/streamgate-db"),
            ("DB_ENV_LANG", "C"),
        ]);
        assert_foreign(&[
            ("IMAGE", "ghcr.io/x/streamgate"),
            ("IMAGE_TAG", "1.2"),
            ("TAG", "1.2"),
            ("VERSION", "1.2"),
        ]);
    }

    #[test]
    fn what_could_be_a_slip_is_not_foreign() {
        let none: [String; 0] = [];
        assert_eq!(
            foreign(&[
                ("PORT", "9000"),
                ("HTTP_PORT", "9000"),
                ("SERVICE_PORT", "here"),
                ("HOST", "0.0.0.0"),
                ("PORT_8080", "1"),
                ("PORT_X_TCP", "1"),
                ("PORT_80_HTTP", "1"),
                ("PORT_80_TCP_NAME", "1"),
                ("NAME", "gate"),
                ("ENV_PATH", "/bin"),
                ("IMAGES", "1"),
                ("LISTN", "127.0.0.1:1"),
                ("DATADIR", "/data"),
            ]),
            none
        );
    }
}
