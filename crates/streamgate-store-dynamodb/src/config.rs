//! The configuration of the store; what it leaves out is found the AWS way.

use std::time::Duration;

use aws_sdk_dynamodb::config::Credentials;

/// The variable that names the region; that of an earlier system. Without it, `AWS_REGION` counts.
const REGION_VARIABLE: &str = "REGION";

/// Shortest and longest name of a table, in characters. DynamoDB's own bounds.
const TABLE_NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=255;

/// Where the table is, timeouts, and retries.
///
/// What is `None` is found the AWS way: the environment (`AWS_REGION`, `AWS_ACCESS_KEY_ID`,
/// `AWS_ENDPOINT_URL_DYNAMODB` and so on), then the profile, then the role of the container or of
/// the instance.
#[derive(Debug, Clone)]
pub struct DynamoDbConfig {
    /// The name of the table.
    pub table: String,
    /// The region, such as `eu-west-1`.
    pub region: Option<String>,
    /// The URL of another endpoint: of an emulator, or of a private link.
    pub endpoint: Option<String>,
    /// Credentials, for emulators and tests. Leave them out otherwise.
    pub credentials: Option<Credentials>,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long one attempt of a request may take, the connection included.
    pub attempt_timeout: Duration,
    /// How often a request is sent at most, at least once. Between attempts there is a random wait,
    /// of 50 ms at most before the second and twice as much before each further one, up to 800 ms.
    /// The caller's own deadline comes on top.
    pub attempts: u32,
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No table is named.
    #[error("no DynamoDB table is named")]
    NoTable,
    /// No table can have this name.
    #[error(
        "`{0}` cannot be the name of a DynamoDB table: it has 3 to 255 characters of a-z, A-Z, \
         0-9, `_`, `-` and `.`"
    )]
    BadTable(String),
    /// Neither the configuration nor AWS's own ways name a region.
    #[error("no AWS region is named: set AWS_REGION, {REGION_VARIABLE}, or one in the AWS profile")]
    NoRegion,
    /// The endpoint is no URL. It is not repeated here, because a URL can hold a password.
    #[error("the DynamoDB endpoint must be a URL that begins with http:// or https://")]
    BadEndpoint,
    /// The number of attempts is 0.
    #[error("the number of attempts must be at least 1")]
    NoAttempts,
}

/// The region that `REGION` names, the variable of an earlier system; `None` if it is unset or
/// empty. It goes before `AWS_REGION`.
#[must_use]
pub fn region_from_env() -> Option<String> {
    let region = std::env::var(REGION_VARIABLE).ok();
    region.filter(|region| !region.is_empty())
}

impl DynamoDbConfig {
    /// A table with this name, all else found the AWS way.
    #[must_use]
    pub fn new(table: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            region: None,
            endpoint: None,
            credentials: None,
            connect_timeout: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(1),
            attempts: 6,
        }
    }

    /// Validates what needs no server.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let is_table_char = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if self.table.is_empty() {
            return Err(ConfigError::NoTable);
        }
        // Only ASCII has as many bytes as characters; the rest is refused anyway.
        if !TABLE_NAME_CHARS.contains(&self.table.len()) || !self.table.chars().all(is_table_char) {
            return Err(ConfigError::BadTable(self.table.clone()));
        }
        if let Some(endpoint) = &self.endpoint {
            let host = ["http://", "https://"]
                .iter()
                .find_map(|scheme| endpoint.strip_prefix(scheme));
            if host.is_none_or(str::is_empty) {
                return Err(ConfigError::BadEndpoint);
            }
        }
        if self.attempts == 0 {
            return Err(ConfigError::NoAttempts);
        }
        Ok(())
    }
}
