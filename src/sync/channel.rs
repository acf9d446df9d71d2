//! The way to one sink: what its connections are made with, which is kept as long as it counts.
//!
//! A client certificate is read anew for each batch, which costs two small files; what was made with
//! it is made anew when they differ. Where the key is in the keychain, nothing but a failure shows
//! that it was renewed, and whoever fails says [`Channel::forget`].

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use zeroize::Zeroizing;

use super::delivery::Delivery;
use super::{Courier, key_field};
use crate::config::{
    ClientCertificate, Receiver, SinkConfig, Trust, read_document, read_private_key,
};
use crate::upstream::{Http, Identity, Tls};
use crate::wording::chain;

/// How long a connection may take.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// The way to one sink.
pub(super) struct Channel<'a> {
    pub(super) sync: &'a Courier,
    pub(super) sink: &'a SinkConfig,
    client: Slot<Client>,
    tls: Slot<Tls>,
}

impl<'a> Channel<'a> {
    /// Nothing is read or made yet.
    pub(super) fn new(sync: &'a Courier, sink: &'a SinkConfig) -> Self {
        Self {
            sync,
            sink,
            client: Slot::default(),
            tls: Slot::default(),
        }
    }

    /// The HTTP client: the one that all share, unless a certificate is to be shown.
    pub(super) async fn client(&self, receiver: &Receiver) -> Result<Client, Delivery> {
        let (http, tasks) = (self.http()?, &self.sync.0.tasks);
        if receiver.certificate.is_none() {
            let client = http.client_for(&receiver.url, CONNECT, tasks).await;
            return client.map_err(|error| Delivery::later(chain(&error)));
        }
        let make = async |identity| http.client_as(identity, CONNECT, tasks).await;
        self.kept(&self.client, receiver.certificate.as_ref(), make)
            .await
    }

    /// TLS for what is no HTTP.
    pub(super) async fn tls(
        &self,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Tls, Delivery> {
        let (http, tasks) = (self.http()?, &self.sync.0.tasks);
        let make = async |identity| http.tls(identity, tasks).await;
        self.kept(&self.tls, certificate, make).await
    }

    /// Has everything made anew.
    pub(super) fn forget(&self) {
        self.client.set(None);
        self.tls.set(None);
    }

    fn http(&self) -> Result<&Http, Delivery> {
        let unusable = || Delivery::later("the settings of the network cannot be used");
        self.sync.0.http.as_ref().ok_or_else(unusable)
    }

    /// What was made with this certificate, or is made now.
    async fn kept<T: Clone, E: Error + 'static>(
        &self,
        slot: &Slot<T>,
        certificate: Option<&ClientCertificate>,
        make: impl AsyncFnOnce(Option<Identity>) -> Result<T, E>,
    ) -> Result<T, Delivery> {
        let from = certificate.cloned();
        let read = move || from.as_ref().map(Files::read).transpose();
        let files = self.sync.0.tasks.blocking(read).await;
        let files = files.map_err(Delivery::later)?;
        let digest = files.as_ref().map(Files::digest);
        if let Some(made) = slot.made_with(digest) {
            return Ok(made);
        }
        let identity = match files {
            Some(files) => Some(self.identity(files).await?),
            None => None,
        };
        let fresh = make(identity).await;
        let fresh = fresh.map_err(|error| Delivery::later(chain(&error)))?;
        slot.set(Some((digest, fresh.clone())));
        Ok(fresh)
    }

    async fn identity(&self, files: Files) -> Result<Identity, Delivery> {
        let key = match files.key {
            Some(key) => key,
            None => self.key_of_keychain().await?,
        };
        let identity = Identity::from_pem(files.chain.as_bytes(), &key);
        identity.map_err(|error| Delivery::later(chain(&error)))
    }

    async fn key_of_keychain(&self) -> Result<Zeroizing<Vec<u8>>, Delivery> {
        let (secrets, field) = (self.sync.0.secrets.clone(), key_field(self.sink));
        let tasks = &self.sync.0.tasks;
        let kept = tasks.blocking(move || secrets.read(&field)).await;
        let kept = kept.map_err(|error| Delivery::later(chain(&error)))?;
        let name = &self.sink.name;
        kept.ok_or_else(|| {
            Delivery::later(format!(
                "the client certificate has no key; set `client_key`, or run `chaperone sync secret \
                 --key {name}`"
            ))
        })
    }
}

/// Something, and the certificate that it was made with.
struct Slot<T>(Mutex<Option<(Option<blake3::Hash>, T)>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Slot<T> {
    fn made_with(&self, digest: Option<blake3::Hash>) -> Option<T> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, made) = slot.as_ref().filter(|(of, _)| *of == digest)?;
        Some(made.clone())
    }

    fn set(&self, made: Option<(Option<blake3::Hash>, T)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = made;
    }
}

/// What the files of a certificate hold.
struct Files {
    chain: String,
    key: Option<Zeroizing<Vec<u8>>>,
}

impl Files {
    fn read(certificate: &ClientCertificate) -> Result<Self, String> {
        let ClientCertificate { chain, key } = certificate;
        let text = read_document(chain, Trust::Account);
        let text = text.map_err(|error| format!("`client_cert` {} {error}", chain.display()))?;
        let read = key.as_ref().map(|path| {
            let read = read_private_key(path);
            read.map_err(|error| format!("`client_key` {} {error}", path.display()))
        });
        Ok(Self {
            chain: text,
            key: read.transpose()?,
        })
    }

    fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(blake3::hash(self.chain.as_bytes()).as_bytes());
        hasher.update(self.key.as_deref().map_or(&[], Vec::as_slice));
        hasher.finalize()
    }
}
