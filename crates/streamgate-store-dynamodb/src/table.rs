//! A client of the SDK for one table, and the name of the table in messages.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;

use crate::config::{ConfigError, DynamoDbConfig};

/// The longest wait before the second attempt of a request.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);

/// The longest wait before any attempt. A player waits behind it.
const BACKOFF_MAX: Duration = Duration::from_millis(800);

/// A client for one table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) region: String,
}

impl Table {
    /// Finds the region and the way to credentials. Sends nothing to DynamoDB yet.
    pub(crate) async fn connect(config: &DynamoDbConfig) -> Result<Self, ConfigError> {
        config.check()?;
        // Named and not `latest`: what an update of the SDK does differently is to be chosen.
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(credentials) = &config.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        let sdk = loader.load().await;
        let region = sdk.region().ok_or(ConfigError::NoRegion)?.to_string();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(config.connect_timeout)
            .operation_attempt_timeout(config.attempt_timeout)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(config.attempts)
            .with_initial_backoff(BACKOFF_FIRST)
            .with_max_backoff(BACKOFF_MAX);
        // Not the SDK's quota of repetitions, which all calls of a process share: throttling that
        // goes on uses it up, and then the first refusal of any call is its last. Here every call
        // is bounded by itself, in attempts, waits and time.
        let quota = RetryPartition::custom("streamgate").token_bucket(TokenBucket::unlimited());
        // For DynamoDB only: credentials come from other services, with the SDK's own timeouts.
        let mut builder = Builder::from(&sdk)
            .timeout_config(timeouts)
            .retry_config(retries)
            .retry_partition(quota.build());
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        Ok(Self {
            client: Client::from_conf(builder.build()),
            name: config.table.clone(),
            region,
        })
    }

    /// What messages call it.
    pub(crate) fn place(&self) -> String {
        format!("DynamoDB table `{}` in {}", self.name, self.region)
    }
}
