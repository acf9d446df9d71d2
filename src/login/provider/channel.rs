//! The one way to the provider: bounded in size and time, without redirects, over https or to this
//! machine.
//!
//! Errors say what went wrong on the way and never repeat what was sent or received: both hold
//! secrets.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect::Policy;
use reqwest::{Certificate, NoProxy, Proxy, Response};

use crate::config::NetworkConfig;
use crate::login::browser::is_secure;

/// The largest metadata document and token response.
pub(super) const DOCUMENT_LIMIT: usize = 256 * 1024;
/// The largest set of keys.
pub(super) const KEYS_LIMIT: usize = 1024 * 1024;
/// Where every issuer has its metadata (OpenID Connect Discovery 4); the library asks for it and for
/// the keys in one go.
const METADATA_PATH: &str = "/.well-known/openid-configuration";
/// How long one request may take, body included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Makes the HTTP client that [`super::Provider`] wants: it follows no redirect.
pub fn client(network: &NetworkConfig) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(DEADLINE)
        .user_agent(concat!("chaperone/", env!("CARGO_PKG_VERSION")));
    if let Some(url) = &network.proxy {
        let local = NoProxy::from_string("localhost, 127.0.0.0/8, ::1");
        let proxy = Proxy::all(url.clone()).map_err(ClientError::Setup)?;
        builder = builder.proxy(proxy.no_proxy(local));
    }
    if let Some(machine) = network.machine_roots() {
        let machine = machine.iter().map(|der| Certificate::from_der(der));
        let machine: Result<Vec<_>, _> = machine.collect();
        builder = builder.tls_certs_only(machine.map_err(ClientError::Setup)?);
    }
    if let Some(path) = &network.ca_file {
        let unreadable = |source| ClientError::CaFile {
            path: path.clone(),
            source,
        };
        let pem = fs::read(path).map_err(unreadable)?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(ClientError::Setup)?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(ClientError::Setup)
}

/// Why there is no HTTP client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file of certificates is not there or not readable.
    #[error("the file of certificates {} cannot be read", path.display())]
    CaFile {
        /// `ca_file` of the configuration.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate or the proxy is not usable.
    #[error("the network settings cannot be used")]
    Setup(#[source] reqwest::Error),
}

/// How a request to the provider failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not sent: the address is neither https nor on this machine.
    #[error("{0} is neither https nor on this machine")]
    Insecure(Box<str>),
    /// Not sent: no HTTP request can be made of it.
    #[error("the address is not usable")]
    Address(#[source] reqwest::Error),
    /// No connection, or it broke.
    #[error("the request failed")]
    Failed(#[source] reqwest::Error),
    /// No whole answer in time.
    #[error("no whole answer within {} seconds", DEADLINE.as_secs())]
    Silent,
    /// The provider is in trouble and says so.
    #[error("the provider answered {0}")]
    Busy(StatusCode),
    /// Refused, and not in a way that the protocol knows.
    #[error("the provider answered {0}")]
    Status(StatusCode),
    /// Sent elsewhere; requests with secrets are not carried along.
    #[error("the provider redirected the request, which is not followed")]
    Redirected,
    /// More than any provider sends.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl HttpError {
    /// Whether the same request may succeed later.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Silent | Self::Busy(_) => true,
            Self::Insecure(_)
            | Self::Address(_)
            | Self::Status(_)
            | Self::Redirected
            | Self::TooLarge(_) => false,
        }
    }
}

/// Requests to the provider.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
}

/// The same for the libraries that speak the protocol, with the limit of one kind of answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounded<'a> {
    http: &'a Http,
    limit: usize,
}

impl<'c> AsyncHttpClient<'c> for Bounded<'_> {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let is_metadata = request.uri().path().ends_with(METADATA_PATH);
        let limit = if is_metadata {
            DOCUMENT_LIMIT
        } else {
            self.limit
        };
        self.http.send(request, limit).boxed()
    }
}

impl Http {
    pub(super) fn new(client: reqwest::Client) -> Self {
        Self { client }
    }

    pub(super) fn bounded(&self, limit: usize) -> Bounded<'_> {
        Bounded { http: self, limit }
    }

    /// Sends the request and reads an answer of at most `limit` bytes.
    pub(super) async fn send(
        &self,
        request: HttpRequest,
        limit: usize,
    ) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request)
            .map_err(|error| HttpError::Address(error.without_url()))?;
        if !is_secure(request.url()) {
            let origin = request.url().origin().ascii_serialization();
            return Err(HttpError::Insecure(origin.into()));
        }
        tokio::time::timeout(DEADLINE, self.exchange(request, limit))
            .await
            .unwrap_or(Err(HttpError::Silent))
    }

    async fn exchange(
        &self,
        request: reqwest::Request,
        limit: usize,
    ) -> Result<HttpResponse, HttpError> {
        let asked = request.url().clone();
        let answer = self.client.execute(request).await.map_err(failed)?;
        // The second test is for a client that was built to follow redirects after all.
        if answer.status().is_redirection() || *answer.url() != asked {
            return Err(HttpError::Redirected);
        }
        if answer.status().is_server_error() || answer.status() == StatusCode::TOO_MANY_REQUESTS {
            return Err(HttpError::Busy(answer.status()));
        }
        if !answer.status().is_success() && !is_json(&answer) {
            return Err(HttpError::Status(answer.status()));
        }
        let mut whole = http::Response::new(Vec::new());
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = answer.headers().clone();
        *whole.body_mut() = body(answer, limit).await?;
        Ok(whole)
    }
}

async fn body(mut answer: Response, limit: usize) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > limit {
            return Err(HttpError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Addresses are left out of errors: what they say is in the configuration or the metadata.
fn failed(error: reqwest::Error) -> HttpError {
    HttpError::Failed(error.without_url())
}

fn is_json(answer: &Response) -> bool {
    answer
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| text.to_ascii_lowercase().contains("json"))
}
