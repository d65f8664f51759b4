//! Reading a URL. No error repeats a part of it that could be a password.

use percent_encoding::percent_decode_str;

use super::{Address, Credentials, Location, Servers};

const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What is wrong with a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme is unknown.
    #[error(
        "a URL of Redis begins with redis://, rediss://, redis+sentinel://, rediss+sentinel://, \
         redis+cluster:// or rediss+cluster://"
    )]
    Scheme,
    /// There is no host, or one of several is empty.
    #[error("a host is missing")]
    Host,
    /// Several hosts where there can be only one.
    #[error("only redis+sentinel:// and redis+cluster:// take several hosts")]
    ManyHosts,
    /// The port of this host is no number from 1 to 65535.
    #[error("the port of host {0:?} is not a number from 1 to 65535")]
    Port(String),
    /// The user or the password is not percent-encoded UTF-8.
    #[error("the user or the password is not percent-encoded UTF-8")]
    Credentials,
    /// There is a user without a password.
    #[error("the user has no password: redis://USER:PASSWORD@HOST, or redis://:PASSWORD@HOST")]
    Password,
    /// The part after the hosts is not the number of a database.
    #[error("the database {0:?} is not a number")]
    Database(String),
    /// The name of the primary is missing.
    #[error("the name of the primary is missing: redis+sentinel://HOST:26379/NAME")]
    PrimaryName,
    /// A cluster has one database only.
    #[error("a cluster has database 0 only")]
    ClusterDatabase,
    /// Text follows the last part of the URL.
    #[error(
        "{0:?} at the end of the URL means nothing; a #, ? or / in a password is written %23, %3F \
         or %2F"
    )]
    Rest(String),
}

/// Reads `SCHEME://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/NAME][/DATABASE]`.
pub(crate) fn parse(url: &str) -> Result<Location, UrlError> {
    let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
    let (tls, kind) = match scheme.split_once('+').unwrap_or((scheme, "")) {
        ("redis" | "valkey", kind) => (false, kind),
        ("rediss" | "valkeys", kind) => (true, kind),
        _ => return Err(UrlError::Scheme),
    };
    // The last @, so that one in a password does no harm, and before it no / begins the path.
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (read_credentials(credentials)?, rest),
        None => (Credentials::default(), rest),
    };
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(at) = path.find(['?', '#']) {
        return Err(UrlError::Rest(path[at..at + 1].to_owned()));
    }
    let (servers, database) = match kind {
        "" => {
            let mut hosts = read_hosts(hosts, SERVER_PORT)?;
            let host = hosts.pop().ok_or(UrlError::Host)?;
            if !hosts.is_empty() {
                return Err(UrlError::ManyHosts);
            }
            (Servers::Standalone(host), read_database(path)?)
        }
        "sentinel" => {
            let sentinels = read_hosts(hosts, SENTINEL_PORT)?;
            let (name, database) = path.split_once('/').unwrap_or((path, ""));
            if name.is_empty() {
                return Err(UrlError::PrimaryName);
            }
            let primary_name = decode(name)?;
            let servers = Servers::Sentinel {
                sentinels,
                primary_name,
            };
            (servers, read_database(database)?)
        }
        "cluster" => {
            if read_database(path)? != 0 {
                return Err(UrlError::ClusterDatabase);
            }
            (Servers::Cluster(read_hosts(hosts, SERVER_PORT)?), 0)
        }
        _ => return Err(UrlError::Scheme),
    };
    Ok(Location {
        servers,
        tls,
        credentials,
        database,
    })
}

fn decode(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| UrlError::Credentials)
}

fn read_credentials(text: &str) -> Result<Credentials, UrlError> {
    let (user, password) = text.split_once(':').ok_or(UrlError::Password)?;
    let user = Some(decode(user)?).filter(|user| !user.is_empty());
    let password = Some(decode(password)?).filter(|password| !password.is_empty());
    if user.is_some() && password.is_none() {
        return Err(UrlError::Password);
    }
    Ok(Credentials { user, password })
}

fn read_hosts(text: &str, port: u16) -> Result<Vec<Address>, UrlError> {
    text.split(',').map(|host| read_host(host, port)).collect()
}

fn read_host(text: &str, default_port: u16) -> Result<Address, UrlError> {
    let (host, port) = match text.strip_prefix('[') {
        // An IPv6 address, whose own colons are inside the brackets.
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(UrlError::Host)?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() || host.contains(['?', '#']) {
        return Err(UrlError::Host);
    }
    let port = match port {
        None => default_port,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| UrlError::Port(host.to_owned()))?,
    };
    Ok(Address::new(host, port))
}

fn read_database(text: &str) -> Result<u32, UrlError> {
    if text.is_empty() {
        return Ok(0);
    }
    let number = text.parse().ok();
    number.ok_or_else(|| UrlError::Database(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standalone(url: &str) -> (String, u32, bool) {
        let location = parse(url).unwrap();
        match location.servers {
            Servers::Standalone(address) => (address.to_string(), location.database, location.tls),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_server() {
        let read = |host: &str, database, tls| (host.to_owned(), database, tls);
        assert_eq!(standalone("redis://h"), read("h:6379", 0, false));
        assert_eq!(standalone("redis://h/"), read("h:6379", 0, false));
        assert_eq!(standalone("redis://h:1/7"), read("h:1", 7, false));
        assert_eq!(standalone("rediss://h:1"), read("h:1", 0, true));
        assert_eq!(standalone("valkeys://h:1"), read("h:1", 0, true));
        assert_eq!(standalone("redis://[::1]:2"), read("[::1]:2", 0, false));
        assert_eq!(standalone("redis://[::1]"), read("[::1]:6379", 0, false));
    }

    #[test]
    fn users_and_passwords() {
        let who = |url: &str| {
            let credentials = parse(url).unwrap().credentials;
            (credentials.user, credentials.password)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(who("redis://h"), (None, None));
        assert_eq!(who("redis://:p@h"), (None, some("p")));
        assert_eq!(who("redis://u:p@h"), (some("u"), some("p")));
        assert_eq!(who("redis://:@h"), (None, None));
        assert_eq!(who("redis://u:a%40b%2Fc@h"), (some("u"), some("a@b/c")));
        assert_eq!(who("redis://u:a@b/c:d@h"), (some("u"), some("a@b/c:d")));
    }

    #[test]
    fn sentinels_and_clusters() {
        let location = parse("rediss+sentinel://:p@a,b:1/main/3").unwrap();
        assert!(location.tls);
        assert_eq!(location.database, 3);
        let sentinels = vec![Address::new("a", 26379), Address::new("b", 1)];
        let primary_name = "main".to_owned();
        let expected = Servers::Sentinel {
            sentinels,
            primary_name,
        };
        assert_eq!(location.servers, expected);
        let location = parse("redis+cluster://a:7000,b").unwrap();
        let seeds = vec![Address::new("a", 7000), Address::new("b", 6379)];
        assert_eq!(location.servers, Servers::Cluster(seeds));
    }

    #[test]
    fn errors_name_what_is_wrong_and_never_the_password() {
        for (url, error) in [
            ("", UrlError::Scheme),
            ("localhost", UrlError::Scheme),
            ("http://h", UrlError::Scheme),
            ("redis+other://h", UrlError::Scheme),
            ("redis://", UrlError::Host),
            ("redis://:secret@", UrlError::Host),
            ("redis+cluster://a,,b", UrlError::Host),
            ("redis://[::1", UrlError::Host),
            ("redis://a,b", UrlError::ManyHosts),
            ("redis://:secret@h:x", UrlError::Port("h".to_owned())),
            ("redis://h:0", UrlError::Port("h".to_owned())),
            ("redis://h:65536", UrlError::Port("h".to_owned())),
            ("redis://:secret%ff@h", UrlError::Credentials),
            ("redis://secret@h", UrlError::Password),
            ("redis://secret:@h", UrlError::Password),
            ("redis://h/x", UrlError::Database("x".to_owned())),
            ("redis://h/0?a=b", UrlError::Rest("?".to_owned())),
            ("redis+sentinel://h", UrlError::PrimaryName),
            ("redis+sentinel://h//1", UrlError::PrimaryName),
            ("redis+cluster://h/1", UrlError::ClusterDatabase),
        ] {
            let found = parse(url).unwrap_err();
            assert_eq!(found, error, "{url}");
            assert!(!found.to_string().contains("secret"));
        }
        let shown = format!("{:?}", parse("redis://nobody:secret@h").unwrap());
        assert!(
            !shown.contains("secret") && !shown.contains("nobody"),
            "{shown}"
        );
    }
}
