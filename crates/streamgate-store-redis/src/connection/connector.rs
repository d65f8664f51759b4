//! Connecting: address, TLS, credentials.

use std::fmt;
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo,
    IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo, RedisError, TlsCertificates,
};

use super::certificates::CurrentCertificates;
use crate::reason::Reason;
use crate::settings::RedisSettings;
use crate::url::{Address, Credentials, Location};

/// What all connections of a store have in common.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: Option<CurrentCertificates>,
    greeting: RedisConnectionInfo,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

impl Connector {
    pub(crate) fn new(
        settings: &RedisSettings,
        tls: Option<&CurrentCertificates>,
        credentials: &Credentials,
        database: u32,
    ) -> Self {
        let mut greeting = RedisConnectionInfo::default()
            .set_db(i64::from(database))
            .set_lib_name("streamgate", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &credentials.user {
            greeting = greeting.set_username(user);
        }
        if let Some(password) = &credentials.password {
            greeting = greeting.set_password(password);
        }
        Self {
            tls: tls.cloned(),
            greeting,
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
        }
    }

    /// A connector to the servers that keep records.
    pub(crate) fn to_primaries(
        settings: &RedisSettings,
        location: &Location,
        certificates: &CurrentCertificates,
    ) -> Self {
        let tls = location.tls.then_some(certificates);
        Self::new(settings, tls, &location.credentials, location.database)
    }

    /// Connects and authenticates, within the connect timeout.
    pub(crate) async fn connect(&self, to: &Address) -> Result<MultiplexedConnection, Reason> {
        let told = |error: RedisError| Reason::of(&error).at(to);
        let client = self.client(to).map_err(told)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout));
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(told)
    }

    /// The same for a connection that subscribes: what servers send by themselves goes to `pushed`,
    /// which must not wait.
    pub(crate) async fn connect_hearing(
        &self,
        to: &Address,
        pushed: impl AsyncPushSender,
    ) -> Result<MultiplexedConnection, Reason> {
        let mut hearing = self.clone();
        // Only this version of the protocol tells apart what is pushed and what was asked for.
        hearing.greeting = hearing.greeting.set_protocol(ProtocolVersion::RESP3);
        let told = |error: RedisError| Reason::of(&error).at(to);
        let client = hearing.client(to).map_err(told)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
            .set_push_sender(pushed);
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(told)
    }

    fn client(&self, to: &Address) -> Result<Client, RedisError> {
        let (host, port) = (to.host.clone(), to.port);
        let Some(certificates) = &self.tls else {
            return Client::open(self.info(ConnectionAddr::Tcp(host, port))?);
        };
        let certificates = certificates.get();
        let address = ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        };
        Client::build_with_tls(
            self.info(address)?,
            TlsCertificates {
                client_tls: certificates
                    .client
                    .map(|(client_cert, client_key)| ClientTlsConfig {
                        client_cert,
                        client_key,
                    }),
                root_cert: certificates.authorities,
            },
        )
    }

    fn info(&self, address: ConnectionAddr) -> Result<ConnectionInfo, RedisError> {
        // Answers are small and awaited: a delay to fill packets would be paid on every call.
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = address.into_connection_info()?;
        Ok(info
            .set_tcp_settings(tcp)
            .set_redis_settings(self.greeting.clone()))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}
