//! Who runs the sign-in, and who waits for it.
//!
//! One sign-in at a time on the account: whoever holds the login lock runs it and writes its link
//! down, all others show that link. Where a session can be kept, the sign-in has a process of its
//! own, so that a host which ends its programs does not end it. Without a usable keychain nobody
//! else could use the session, so the process that needs it signs in by itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use url::Url;

use super::flow::LoginError;
use super::keychain::KeychainError;
use super::link::Told;
use super::provider::ClientError;
use super::shared::{Place, Shared, Standing, locked};
use super::waiting::{self, LockError};
use super::{InstallError, Session, refresh};
use crate::clock::Timestamp;

mod here;

pub use here::Here;

/// How long the person's host is kept waiting for the link.
const ANSWER_WITHIN: Duration = Duration::from_millis(900);
/// How long the sign-in's process may take to have a link; the provider answers meanwhile.
const LINK_PATIENCE: Duration = Duration::from_secs(12);
/// How often the link is looked for in that time.
const LINK_PAUSE: Duration = Duration::from_millis(15);
/// How long a person may take to sign in.
pub(super) const SIGN_IN_PATIENCE: Duration = Duration::from_secs(300);
/// How long others wait for that: a moment longer.
const ENDING_PATIENCE: Duration = Duration::from_secs(330);

/// Where the sign-in that is under way can be continued.
#[derive(Debug, Clone)]
pub struct SignInLink {
    /// The provider's page.
    pub url: Url,
}

/// Why there is no link to sign in with.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Nothing is configured that one could sign in to.
    #[error("no identity provider is configured")]
    NotConfigured,
    /// It goes on; the link will be there the next time.
    #[error("the sign-in page is being prepared; call again in a moment")]
    Slow,
    /// Somebody is at it in another process.
    #[error("a sign-in is under way already")]
    UnderWay,
    /// It ended without a link, in its own process; a sentence for the person.
    #[error("the sign-in could not begin: {0}")]
    Failed(Box<str>),
    /// The session could not be kept, and this process must not keep it in memory.
    #[error("the session cannot be kept: the keychain does not serve")]
    Keychain(#[source] KeychainError),
    /// This process was not told how to open a session in the record.
    #[error("a session cannot be recorded here")]
    NoRecord,
    /// The session could not be opened in the record, so there is none.
    #[error("the session could not be recorded")]
    Record(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The person did not sign in, or the provider refused.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The person signed in, and the session could not be kept.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The network settings are unusable.
    #[error(transparent)]
    Client(ClientError),
    /// The process for it could not be started.
    #[error("the sign-in's own process could not be started")]
    Start(#[source] io::Error),
    /// The link could not be written down for the others.
    #[error("the sign-in link could not be written down")]
    Link(#[source] io::Error),
    /// The lock of the sign-in cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What somebody else in this process was told.
    #[error(transparent)]
    Shared(Arc<SignInError>),
}

impl SignInError {
    /// Whether the provider was not there, and may be later.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Login(LoginError::Provider(cause)) if cause.is_unreachable())
    }
}

/// A link that is being prepared, for everybody in this process who asked.
type Preparing =
    futures_util::future::Shared<oneshot::Receiver<Result<SignInLink, Arc<SignInError>>>>;
/// The end of a sign-in that runs in this process.
type Ending = futures_util::future::Shared<oneshot::Receiver<()>>;

/// The sign-ins of this process.
#[derive(Default)]
pub(super) struct SigningIn {
    preparing: Option<Preparing>,
    /// The one that this process runs itself, without a keychain.
    here: Option<(Url, Ending)>,
}

impl Session {
    /// Starts the sign-in in its own process, or joins the one under way, and returns its link
    /// within a second. When that takes longer it goes on, and the next call has the link.
    pub async fn begin_sign_in(&self) -> Result<SignInLink, SignInError> {
        if self.shared.identity.is_none() {
            return Err(SignInError::NotConfigured);
        }
        match tokio::time::timeout(ANSWER_WITHIN, self.preparing()).await {
            Err(_) | Ok(Err(_)) => Err(SignInError::Slow),
            Ok(Ok(Ok(link))) => Ok(link),
            Ok(Ok(Err(error))) => Err(SignInError::Shared(error)),
        }
    }

    /// Resolves when the sign-in under way has ended, whoever runs it; whether a session exists
    /// then. Without one under way it resolves at once.
    pub async fn signed_in(&self) -> bool {
        let here = locked(&self.shared.signing_in).here.clone();
        if let Some((_, ending)) = here {
            // The sender is dropped at the end, however that comes about.
            let _ended = ending.await;
        } else {
            let path = self.shared.paths.lock("login");
            let waited = waiting::lock(path, ENDING_PATIENCE, &self.shared.tasks).await;
            if let Err(error) = waited {
                tracing::warn!(%error, "the end of the sign-in was not seen");
            }
        }
        if !matches!(self.shared.standing(), Standing::Somebody(held) if is_here(&held.place)) {
            self.reload();
        }
        if let Err(error) = refresh::look(&self.shared).await {
            tracing::warn!(%error, "the session cannot be read after the sign-in");
        }
        matches!(self.shared.standing(), Standing::Somebody(_))
    }

    /// Joins whoever prepares a link in this process, or prepares one in a task of its own.
    fn preparing(&self) -> Preparing {
        let mut signing_in = locked(&self.shared.signing_in);
        if let Some(preparing) = &signing_in.preparing {
            return preparing.clone();
        }
        let (sender, receiver) = oneshot::channel();
        let preparing = receiver.shared();
        signing_in.preparing = Some(preparing.clone());
        drop(signing_in);
        let session = self.clone();
        self.shared.tasks.spawn_until_stop(async move {
            let link = session.prepare().await.map_err(Arc::new);
            locked(&session.shared.signing_in).preparing = None;
            // Everybody who waited may have gone.
            let _unheard = sender.send(link);
        });
        preparing
    }

    async fn prepare(&self) -> Result<SignInLink, SignInError> {
        let here = locked(&self.shared.signing_in).here.clone();
        if let Some((url, _)) = here.filter(|(_, ending)| ending.peek().is_none()) {
            return Ok(SignInLink { url });
        }
        let began = self.shared.clock.now();
        if !self.shared.is_login_free().await? {
            return self.shared.link_of_other(began).await;
        }
        match self.probe().await {
            Ok(()) => {
                self.shared.start_process().await?;
                self.shared.link_of_other(began).await
            }
            // A session in memory would end the one that the newer version keeps.
            Err(newer @ KeychainError::Newer { .. }) => Err(SignInError::Keychain(newer)),
            Err(reason) => self.sign_in_in_memory(reason).await,
        }
    }
}

impl Shared {
    /// Whether nobody signs in now; then what the last one told is taken back, who may have been
    /// killed with his link still there.
    async fn is_login_free(&self) -> Result<bool, SignInError> {
        let lock = waiting::try_lock(self.paths.lock("login"), &self.tasks).await?;
        let Some(lock) = lock else {
            return Ok(false);
        };
        let file = self.link_file.clone();
        let cleared = self.tasks.blocking(move || file.clear()).await;
        drop(lock);
        cleared.map_err(SignInError::Link)?;
        Ok(true)
    }

    async fn start_process(&self) -> Result<(), SignInError> {
        let own = || super::detached::Launcher::own();
        let launcher = self.launcher.clone().map_or_else(own, Ok);
        let launcher = launcher.map_err(SignInError::Start)?;
        let paths = self.paths.clone();
        let started = self.tasks.blocking(move || launcher.start(&paths)).await;
        started.map_err(SignInError::Start)
    }

    /// Waits for the link of the process that holds the login lock, or is about to.
    async fn link_of_other(&self, began: Timestamp) -> Result<SignInLink, SignInError> {
        let told = async {
            loop {
                let file = self.link_file.clone();
                match self.tasks.blocking(move || file.read()).await {
                    Some(Told::Link(url)) => return Ok(SignInLink { url }),
                    Some(Told::Failure { sentence, at }) if at >= began => {
                        return Err(SignInError::Failed(sentence));
                    }
                    // Somebody was quicker: the next call finds the session.
                    Some(Told::Success { at }) if at >= began => return Err(SignInError::Slow),
                    Some(Told::Failure { .. } | Told::Success { .. }) | None => {
                        tokio::time::sleep(LINK_PAUSE).await;
                    }
                }
            }
        };
        tokio::time::timeout(LINK_PATIENCE, told)
            .await
            .unwrap_or(Err(SignInError::Slow))
    }
}

fn is_here(place: &Place) -> bool {
    matches!(place, Place::Memory { .. })
}
