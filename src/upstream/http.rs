//! The HTTP client: certificates, proxies, redirects, keep-alive. Knows nothing of MCP.
//!
//! Reading the system's certificates takes milliseconds, so a client is made when the first
//! request needs one, on the pool for blocking work, and shared by all servers whose connections
//! have the same deadline.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, StatusCode};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use url::{Host, Url};

use super::tls::{Identity, Tls, TlsError};
use crate::bounds::{HEAD, HOPS};
use crate::config::{NetworkConfig, ServerConfig};
use crate::stop::Tasks;

/// How long an HTTP/2 connection with open streams may be silent before it is tested, and how long
/// the test may take. Connections without streams are left alone, so that nothing wakes when idle.
const PING_AFTER: Duration = Duration::from_secs(15);
const PING_WAIT: Duration = Duration::from_secs(10);

/// The HTTP client that all servers share; clones share its connections.
#[derive(Debug, Clone)]
pub struct Http {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    proxy: Option<Proxy>,
    network: NetworkConfig,
    authorities: Vec<CertificateDer<'static>>,
    clients: Mutex<HashMap<Way, Client>>,
}

/// What tells one client from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    /// Plain HTTP, on loopback only: never through a proxy, which would see the bearer.
    Loopback(Duration),
    /// HTTPS, with this deadline for a connection.
    Secure(Duration),
}

/// Why `[network]` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// The file of further certificates cannot be read.
    #[error("`ca_file` {path:?} cannot be read")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// It holds something else.
    #[error("`ca_file` {path:?} holds no certificate in PEM form")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why, where it holds something unreadable.
        #[source]
        cause: Option<pem::Error>,
    },
    /// The proxy's address cannot be used.
    #[error("`proxy` cannot be used")]
    Proxy(#[source] reqwest::Error),
}

/// Why the client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// For reasons of its own.
    #[error("the HTTP client cannot be set up")]
    Http(#[from] reqwest::Error),
    /// For reasons of TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Http {
    /// Reads what `[network]` names. The system's certificates are read later.
    pub fn new(network: &NetworkConfig) -> Result<Self, HttpSetupError> {
        let proxy = network.proxy.clone().map(Proxy::all).transpose();
        let shared = Shared {
            proxy: proxy.map_err(HttpSetupError::Proxy)?,
            network: network.clone(),
            authorities: network
                .ca_file
                .as_ref()
                .map_or(Ok(Vec::new()), authorities)?,
            clients: Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The client for a server.
    pub(super) async fn client(
        &self,
        server: &ServerConfig,
        tasks: &Tasks,
    ) -> Result<Client, ClientError> {
        self.client_for(&server.url, server.connect_timeout, tasks)
            .await
    }

    /// The client for an address: the same proxies, authorities and rules of redirection.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub async fn client_for(
        &self,
        url: &Url,
        connect_timeout: Duration,
        tasks: &Tasks,
    ) -> Result<Client, ClientError> {
        let way = Way::to(url, connect_timeout);
        if let Some(client) = self.made(way) {
            return Ok(client);
        }
        let shared = Arc::clone(&self.shared);
        let client = tasks.blocking(move || shared.make(way)).await?;
        let mut clients = lock(&self.shared.clients);
        // Two that were made at once become one.
        Ok(clients.entry(way).or_insert(client).clone())
    }

    /// A client that shows a certificate, to be kept by whoever asks for it.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub async fn client_as(
        &self,
        identity: Option<Identity>,
        connect_timeout: Duration,
        tasks: &Tasks,
    ) -> Result<Client, ClientError> {
        let tls = self.tls(identity, tasks).await?;
        let secure = self.shared.secure(connect_timeout);
        Ok(secure.tls_backend_preconfigured(tls.for_http()).build()?)
    }

    /// TLS for what is no HTTP, with the same authorities; to be kept by whoever asks for it.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub async fn tls(&self, identity: Option<Identity>, tasks: &Tasks) -> Result<Tls, TlsError> {
        let shared = Arc::clone(&self.shared);
        let make = move || {
            Tls::new(
                shared.network.machine_roots(),
                &shared.authorities,
                identity,
            )
        };
        tasks.blocking(make).await
    }

    fn made(&self, way: Way) -> Option<Client> {
        lock(&self.shared.clients).get(&way).cloned()
    }
}

impl Way {
    fn to(url: &Url, connect_timeout: Duration) -> Self {
        if url.scheme() == "http" && is_loopback(url) {
            Self::Loopback(connect_timeout)
        } else {
            Self::Secure(connect_timeout)
        }
    }
}

impl Shared {
    fn make(&self, way: Way) -> Result<Client, reqwest::Error> {
        match way {
            Way::Loopback(limit) => {
                let none: [Certificate; 0] = [];
                let builder = common().connect_timeout(limit);
                builder.no_proxy().tls_certs_only(none).build()
            }
            Way::Secure(limit) => {
                let authorities = self.authorities.iter();
                let authorities = authorities.map(|der| Certificate::from_der(der));
                let authorities: Vec<_> = authorities.collect::<Result<_, _>>()?;
                let secure = self.secure(limit);
                let Some(machine) = self.network.machine_roots() else {
                    return secure.tls_certs_merge(authorities).build();
                };
                let machine = machine.iter().map(|der| Certificate::from_der(der));
                let machine: Vec<_> = machine.collect::<Result<_, _>>()?;
                secure
                    .tls_certs_only(machine.into_iter().chain(authorities))
                    .build()
            }
        }
    }

    /// HTTPS, without what belongs to TLS.
    fn secure(&self, limit: Duration) -> ClientBuilder {
        let builder = common().connect_timeout(limit).https_only(true);
        match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            None => builder,
        }
    }
}

fn common() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("chaperone/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(follow_within_origin))
        .referer(false)
        .http2_max_header_list_size(HEAD)
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PING_WAIT)
        .http2_adaptive_window(true)
}

/// The bearer is for one origin, and a call must arrive as the call it was: other redirects are
/// shown to the caller instead of being followed.
fn follow_within_origin(attempt: Attempt<'_>) -> Action {
    let keeps_body = matches!(
        attempt.status(),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    );
    let from = attempt.previous().last();
    let same_origin = from.is_some_and(|from| from.origin() == attempt.url().origin());
    if keeps_body && same_origin && attempt.previous().len() <= HOPS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn authorities(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, HttpSetupError> {
    let pem = std::fs::read(path).map_err(|cause| HttpSetupError::CaFile {
        path: path.clone(),
        cause,
    })?;
    let unusable = |cause| HttpSetupError::Certificates {
        path: path.clone(),
        cause,
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|cause| unusable(Some(cause)))?;
    if found.is_empty() {
        return Err(unusable(None));
    }
    Ok(found)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
