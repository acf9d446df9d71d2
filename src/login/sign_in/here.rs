//! Running the sign-in in this process.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use url::Url;

use super::{SIGN_IN_PATIENCE, SignInError, SignInLink};
use crate::lock::FileLock;
use crate::login::flow::{self, LoginError, Opening, SignIn};
use crate::login::keychain::KeychainError;
use crate::login::link::Told;
use crate::login::provider::Tokens;
use crate::login::shared::{Shared, locked};
use crate::login::{InstallError, LockError, Session, Who, waiting};

/// Who only looks whether a sign-in is under way holds the lock for less than this.
const LOOKING: Duration = Duration::from_millis(250);

/// Several processes may each have started one to sign in; who comes when it is done already goes
/// away. It takes a moment to start, and a person takes longer than that to change his mind.
const JUST_NOW: Duration = Duration::from_secs(5);

/// How a sign-in in this process goes.
#[derive(Debug, Clone, Copy)]
pub struct Here {
    /// What to do with the link.
    pub opening: Opening,
    /// How long the person may take.
    pub deadline: Duration,
}

impl Session {
    /// Signs in, in this process, and keeps the session in the keychain: `chaperone login`. Refused
    /// with [`SignInError::UnderWay`] when somebody is at it already.
    ///
    /// `announce` gets the link before the browser is opened; other processes are told as well.
    pub async fn sign_in(
        &self,
        here: Here,
        announce: impl FnOnce(&Url) + Send,
    ) -> Result<Who, SignInError> {
        let lock = self.login_lock().await?;
        let signed_in = self.sign_in_alone(here, announce).await;
        self.shared.tell_ending(signed_in.as_ref().err()).await;
        drop(lock);
        signed_in
    }

    /// Signs in for processes that wait for it: `chaperone login --detached`, after
    /// [`crate::login::detached::leave`]. Whether anything is left to do is found out here.
    pub async fn sign_in_for_others(&self) -> Result<(), SignInError> {
        let lock = match self.login_lock().await {
            Err(SignInError::UnderWay) => return Ok(()),
            other => other?,
        };
        let (file, now) = (self.shared.link_file.clone(), self.shared.clock.now());
        let told = self.shared.tasks.blocking(move || file.read()).await;
        if matches!(told, Some(Told::Success { at }) if now.since(at) < JUST_NOW && at <= now) {
            return Ok(());
        }
        let here = Here {
            opening: self.shared.opening,
            deadline: SIGN_IN_PATIENCE,
        };
        let signed_in = self.sign_in_alone(here, |_| {}).await;
        self.shared.tell_ending(signed_in.as_ref().err()).await;
        drop(lock);
        signed_in.map(drop)
    }

    async fn login_lock(&self) -> Result<FileLock, SignInError> {
        let path = self.shared.paths.lock("login");
        match waiting::lock(path, LOOKING, &self.shared.tasks).await {
            Err(LockError::Busy { .. }) => Err(SignInError::UnderWay),
            other => Ok(other?),
        }
    }

    async fn sign_in_alone(
        &self,
        here: Here,
        announce: impl FnOnce(&Url) + Send,
    ) -> Result<Who, SignInError> {
        let file = self.shared.link_file.clone();
        let cleared = self.shared.tasks.blocking(move || file.clear()).await;
        cleared.map_err(SignInError::Link)?;
        self.probe().await.map_err(SignInError::Keychain)?;
        let tokens = self.tokens(here, |url| {
            let now = self.shared.clock.now();
            if let Err(error) = self.shared.link_file.tell_link(url, now) {
                tracing::warn!(%error, "other processes cannot be told of the sign-in link");
            }
            announce(url);
        });
        let tokens = tokens.await?;
        let kept = self.keep(&tokens, None).await;
        self.unless_kept(&tokens, kept).await
    }

    /// Starts a sign-in whose session nobody but this process will have.
    pub(super) async fn sign_in_in_memory(
        &self,
        reason: KeychainError,
    ) -> Result<SignInLink, SignInError> {
        if self.begin.is_none() {
            return Err(SignInError::Keychain(reason));
        }
        let (announce, announced) = oneshot::channel();
        let (ended, ending) = oneshot::channel::<()>();
        let (failed, failure) = oneshot::channel();
        let session = self.clone();
        self.shared.tasks.spawn_until_stop(async move {
            if let Err(error) = session.run_in_memory(reason, announce).await {
                tracing::warn!(%error, "the sign-in did not succeed");
                // Whoever waits for the link is told; later failures are in the log alone.
                let _unheard = failed.send(error);
            }
            drop(ended);
        });
        match announced.await {
            Ok(url) => {
                let link = SignInLink {
                    url: Url::clone(&url),
                };
                locked(&self.shared.signing_in).here = Some((url, ending.shared()));
                Ok(link)
            }
            Err(_) => Err(failure.await.unwrap_or(SignInError::Slow)),
        }
    }

    async fn run_in_memory(
        &self,
        reason: KeychainError,
        announce: oneshot::Sender<Url>,
    ) -> Result<(), SignInError> {
        let here = Here {
            opening: self.shared.opening,
            deadline: SIGN_IN_PATIENCE,
        };
        let tokens = self.tokens(here, |url| {
            // Whoever asked may have gone; the browser opens all the same.
            let _unheard = announce.send(url.clone());
        });
        let tokens = tokens.await?;
        let kept = self.keep(&tokens, Some(reason)).await;
        self.unless_kept(&tokens, kept).await.map(drop)
    }

    async fn tokens(
        &self,
        here: Here,
        announce: impl FnOnce(&Url) + Send,
    ) -> Result<Tokens, SignInError> {
        let shared = &self.shared;
        let identity = shared.identity.as_ref();
        let identity = identity.ok_or(SignInError::NotConfigured)?;
        if self.begin.is_none() {
            return Err(SignInError::NoRecord);
        }
        let provider = shared.provider(identity).await;
        let provider = provider.map_err(SignInError::Client)?;
        let sign_in = SignIn {
            audiences: &shared.audiences,
            redirect_host: &identity.redirect_host,
            redirect_port: identity.redirect_port,
            opening: here.opening,
            deadline: here.deadline,
        };
        Ok(flow::run(provider, sign_in, &shared.tasks, announce).await?)
    }

    /// The record comes first: from then on every older session is refused, so that nobody calls
    /// as the person before while the new session is being kept.
    async fn keep(
        &self,
        tokens: &Tokens,
        in_memory: Option<KeychainError>,
    ) -> Result<Who, SignInError> {
        let claims = tokens.claims.as_ref().ok_or(InstallError::NoClaims)?;
        let identity = self.shared.identity.as_ref();
        let identity = identity.ok_or(SignInError::NotConfigured)?;
        let begin = self.begin.as_ref().ok_or(SignInError::NoRecord)?;
        let generation = begin(claims.identity.clone()).await;
        let generation = generation.map_err(SignInError::Record)?;
        match in_memory {
            None => self.install(tokens, generation).await?,
            Some(reason) => self.install_in_memory(tokens, generation, reason).await?,
        }
        Ok(Who {
            identity: claims.identity.clone(),
            client_id: identity.client_id.clone(),
            generation,
            audiences: self.shared.covered(identity),
        })
    }

    /// A session that could not be kept here is not left open at the provider.
    async fn unless_kept(
        &self,
        tokens: &Tokens,
        kept: Result<Who, SignInError>,
    ) -> Result<Who, SignInError> {
        if kept.is_err()
            && let (Some(identity), Some(token)) = (&self.shared.identity, &tokens.refresh)
            && let Ok(provider) = self.shared.provider(identity).await
            && let Err(error) = provider.revoke(token).await
        {
            tracing::debug!(%error, "the session that was not kept could not be revoked");
        }
        kept
    }
}

impl Shared {
    /// Says how it ended, in place of the link.
    async fn tell_ending(self: &Arc<Self>, error: Option<&SignInError>) {
        let (file, now) = (self.link_file.clone(), self.clock.now());
        let sentence = error.map(sentence);
        let told = self.tasks.blocking(move || match sentence {
            Some(sentence) => file.tell_failure(&sentence, now),
            None => file.tell_success(now),
        });
        if let Err(error) = told.await {
            tracing::debug!(%error, "the end of the sign-in could not be written down");
        }
    }
}

/// The error with its causes, as far as they are for people.
fn sentence(error: &SignInError) -> String {
    if let SignInError::Keychain(cause) | SignInError::Install(InstallError::Keychain(cause)) =
        error
    {
        return format!("{error}: {cause}. {}", cause.next_step());
    }
    if let SignInError::Login(LoginError::Provider(cause)) = error {
        return cause.to_string();
    }
    error.to_string()
}
