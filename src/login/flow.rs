//! One sign-in from beginning to end: bind, ask, open, wait, exchange.
//!
//! Who may sign in when, and what becomes of the tokens, is decided by the caller.

use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::Audience;
use super::browser::{Link, LinkError};
use super::loopback::{Arrival, Ending, Loopback, LoopbackError};
use super::provider::{Pending, Provider, ProviderError, Tokens};
use crate::stop::Tasks;

/// What a sign-in needs to know.
#[derive(Debug, Clone, Copy)]
pub struct SignIn<'a> {
    /// Whom tokens will be wanted for; the first gets one at once.
    pub audiences: &'a [Audience],
    /// `redirect_host` of the configuration.
    pub redirect_host: &'a str,
    /// `redirect_port` of the configuration.
    pub redirect_port: u16,
    /// What to do with the link.
    pub opening: Opening,
    /// How long the person may take.
    pub deadline: Duration,
}

/// What to do with the sign-in link beside announcing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Open it in the system's browser.
    Browser,
    /// Nothing; the person opens it.
    PrintOnly,
}

/// Why the sign-in did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The provider, or what it said.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The address that the browser comes back to.
    #[error(transparent)]
    Loopback(#[from] LoopbackError),
    /// The provider's sign-in page is no address to open.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Nobody signed in.
    #[error("nobody signed in within {} seconds", .0.as_secs())]
    TimedOut(Duration),
}

/// Signs a person in. `announce` gets the link when the callback can be received, before the
/// browser is opened; a browser that does not open is no error, since the link can be copied.
pub async fn run(
    provider: &Provider,
    sign_in: SignIn<'_>,
    tasks: &Tasks,
    announce: impl FnOnce(&Url),
) -> Result<Tokens, LoginError> {
    let until = Instant::now() + sign_in.deadline;
    let loopback = Loopback::bind(sign_in.redirect_host, sign_in.redirect_port).await?;
    let redirect = loopback.redirect().clone();
    let pending = provider.authorize(&redirect, sign_in.audiences).await?;
    let link = Link::try_from(pending.url())?;
    announce(pending.url());
    if sign_in.opening == Opening::Browser {
        open(link, tasks).await;
    }
    let answered = answer(provider, &loopback, &sign_in, pending);
    let answered = tokio::time::timeout_at(until, answered).await;
    let answered = answered.or(Err(LoginError::TimedOut(sign_in.deadline)))??;
    let mut tokens = provider
        .exchange(answered.pending, answered.arrival.callback)
        .await;
    if let Some(refusal) = answered.narrowed_after
        && let Ok(first) = tokens
    {
        tokens = confirm(provider, first, sign_in.audiences, refusal).await;
    }
    let ending = match &tokens {
        Ok(_) => Ending::SignedIn,
        Err(_) => Ending::Failed,
    };
    loopback.finish(answered.arrival.browser, ending).await;
    match tokens {
        Ok(tokens) => Ok(tokens),
        Err(error) => Err(give_back(provider, error).await.into()),
    }
}

/// A callback with its request.
struct Answered {
    pending: Pending,
    arrival: Arrival,
    /// Why the request before this one was refused, which named every audience.
    narrowed_after: Option<ProviderError>,
}

/// Waits for the callback. A provider that may take one resource at a time is asked again with
/// one, in the same browser window.
async fn answer(
    provider: &Provider,
    loopback: &Loopback,
    sign_in: &SignIn<'_>,
    pending: Pending,
) -> Result<Answered, LoginError> {
    let arrival = loopback.wait(|state| pending.state_is(state)).await?;
    let (redirect, callback) = (loopback.redirect(), &arrival.callback);
    let narrowed = provider.narrow(&pending, callback, redirect, sign_in.audiences);
    let Ok(Some(narrowed)) = narrowed.await else {
        // A callback that cannot be accepted is refused by the exchange, with its reason.
        return Ok(Answered {
            pending,
            arrival,
            narrowed_after: None,
        });
    };
    let pending = narrowed.pending;
    Link::try_from(pending.url())?;
    arrival.browser.send_to(pending.url()).await;
    Ok(Answered {
        arrival: loopback.wait(|state| pending.state_is(state)).await?,
        pending,
        narrowed_after: Some(narrowed.refusal),
    })
}

/// Finds out why the provider refused to hear of all audiences. One that takes a single resource
/// gives a token for the next one now. One that does not know an audience refuses again, and some
/// spend the refresh token on the question: better at the sign-in, with the reason, than later.
async fn confirm(
    provider: &Provider,
    tokens: Tokens,
    audiences: &[Audience],
    refusal: ProviderError,
) -> Result<Tokens, ProviderError> {
    let (Some(refresh), Some(claims)) = (&tokens.refresh, &tokens.claims) else {
        return Ok(tokens);
    };
    let Some(next) = audiences.get(1) else {
        return Ok(tokens);
    };
    match provider.refresh(refresh, next, &claims.identity).await {
        Ok(second) => Ok(Tokens {
            refresh: second.refresh.or(tokens.refresh),
            ..tokens
        }),
        Err(ProviderError::Refused(_)) => Err(ProviderError::Unacceptable {
            rotated: refresh.clone(),
            reason: Box::new(refusal),
        }),
        Err(error) => Err(error),
    }
}

async fn open(link: Link, tasks: &Tasks) {
    if let Err(error) = tasks.blocking(move || link.open()).await {
        tracing::warn!(%error, "the browser could not be opened; open the sign-in link by hand");
    }
}

/// A sign-in that is refused leaves no session behind at the provider.
async fn give_back(provider: &Provider, error: ProviderError) -> ProviderError {
    let ProviderError::Unacceptable { rotated, reason } = error else {
        return error;
    };
    if let Err(error) = provider.revoke(&rotated).await {
        tracing::debug!(%error, "the refused session could not be revoked");
    }
    *reason
}

#[cfg(test)]
mod tests;
