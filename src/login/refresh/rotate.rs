//! One refresh, by whoever holds the turn and the lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Failure, Outcome};
use crate::clock::Timestamp;
use crate::login::Audience;
use crate::login::grant::Life;
use crate::login::keychain::KeychainError;
use crate::login::provider::{HttpError, Provider, ProviderError, RefreshToken, Tokens};
use crate::login::shared::{Held, Place, Shared, Standing, Unsaved};
use crate::login::vault::{Contents, Token};

/// How long the provider may take, a second attempt included.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long the keychain is tried to take a new refresh token, and how often.
const SAVE_PATIENCE: Duration = Duration::from_secs(10);
const SAVE_PAUSE: Duration = Duration::from_secs(1);

/// The refresh token, and what the keychain holds: they differ after a failure to save one.
struct Current {
    token: RefreshToken,
    stored: RefreshToken,
}

/// Refreshes, keeps what came, and shows it to everybody: in this order.
pub(super) async fn refresh(
    shared: &Arc<Shared>,
    held: &Arc<Held>,
    audience: &Audience,
) -> Outcome {
    let Some(identity) = &shared.identity else {
        return Err(Arc::new(Failure::NotSignedIn));
    };
    if held
        .who
        .audiences
        .as_ref()
        .is_some_and(|covered| !covered.has(&audience.id))
    {
        return Err(Arc::new(Failure::not_covered(&audience.id)));
    }
    let provider = shared.provider(identity).await;
    let provider = provider.map_err(|error| Arc::new(Failure::unreachable(error)))?;
    let Some(mut current) = current(shared, held).await? else {
        // Nothing is removed on the word of a keychain that finds nothing.
        return Err(Arc::new(Failure::NotSignedIn));
    };
    let mut answer = ask(provider, &current.token, audience, held).await;
    if is_refusal(&answer)
        && let Some(newer) = self::current(shared, held).await?
        && !newer.token.is(&current.token)
    {
        current = newer;
        answer = ask(provider, &current.token, audience, held).await;
    }
    if let Some(rotated) = rotated(&answer) {
        save(shared, held, &current, rotated).await;
    }
    match answer {
        Ok(tokens) => expose(shared, held, audience, tokens).await,
        Err(error) if matches!(error.reason(), ProviderError::InvalidGrant) => {
            give_up(shared, held, current).await
        }
        Err(error) => Err(Arc::new(Failure::of_provider(error))),
    }
}

/// Reads the refresh token. One that could not be saved before is tried to be saved again.
async fn current(shared: &Arc<Shared>, held: &Held) -> Result<Option<Current>, Arc<Failure>> {
    let (fields, generation) = (held.fields(shared), held.who.generation);
    let unsaved = shared.unsaved(generation);
    let read = shared.tasks.blocking(move || {
        let Some(stored) = fields.refresh_token(generation)? else {
            return Ok(None);
        };
        let Some(unsaved) = unsaved.filter(|unsaved| unsaved.spent.is(&stored)) else {
            return Ok(Some((stored.clone(), stored, true)));
        };
        let saved = fields.rotate(generation, &unsaved.token).is_ok();
        let stored = if saved { unsaved.token.clone() } else { stored };
        Ok(Some((unsaved.token, stored, saved)))
    });
    let read = read.await.map_err(Failure::keychain)?;
    Ok(read.map(|(token, stored, saved)| {
        if saved {
            shared.remember_unsaved(None);
        }
        Current { token, stored }
    }))
}

/// Asks the provider. When an answer got lost on the way it is asked once more with the same token:
/// if it had answered, its leeway decides, and waiting would not bring the answer back.
async fn ask(
    provider: &Provider,
    token: &RefreshToken,
    audience: &Audience,
    held: &Held,
) -> Result<Tokens, ProviderError> {
    let person = &held.who.identity;
    let asked = async {
        let first = provider.refresh(token, audience, person).await;
        if is_lost(&first) {
            return provider.refresh(token, audience, person).await;
        }
        first
    };
    tokio::time::timeout(DEADLINE, asked)
        .await
        .unwrap_or_else(|late| Err(ProviderError::Unreachable(late.into())))
}

/// Whether the provider may have answered although no answer came.
fn is_lost(answer: &Result<Tokens, ProviderError>) -> bool {
    let Err(ProviderError::Unreachable(source)) = answer else {
        return false;
    };
    match source.downcast_ref::<HttpError>() {
        Some(HttpError::Silent) => true,
        Some(HttpError::Failed(error)) => !error.is_connect(),
        Some(
            HttpError::Insecure(_)
            | HttpError::Address(_)
            | HttpError::Busy(_)
            | HttpError::Status(_)
            | HttpError::Redirected
            | HttpError::TooLarge(_),
        )
        | None => false,
    }
}

fn is_refusal(answer: &Result<Tokens, ProviderError>) -> bool {
    matches!(answer, Err(error) if matches!(error.reason(), ProviderError::InvalidGrant))
}

/// The new refresh token, also when the rest of the answer is of no use: the old one may be spent.
fn rotated(answer: &Result<Tokens, ProviderError>) -> Option<RefreshToken> {
    match answer {
        Ok(tokens) => tokens.refresh.clone(),
        Err(ProviderError::Unacceptable { rotated, .. }) => Some(rotated.clone()),
        Err(_) => None,
    }
}

/// Keeps the new refresh token. One that the keychain does not take stays in memory; the refresh
/// goes on, since the access tokens that it brings keep other processes from using the spent one.
async fn save(shared: &Arc<Shared>, held: &Held, current: &Current, rotated: RefreshToken) {
    let until = Instant::now() + SAVE_PATIENCE;
    let generation = held.who.generation;
    let reason = loop {
        let (fields, token) = (held.fields(shared), rotated.clone());
        let saved = shared
            .tasks
            .blocking(move || fields.rotate(generation, &token))
            .await;
        let Err(error) = saved else {
            shared.remember_unsaved(None);
            return;
        };
        if Instant::now() >= until {
            break error;
        }
        tokio::time::sleep(SAVE_PAUSE).await;
    };
    tracing::warn!(error = %reason, "the keychain does not take the session's new refresh token");
    shared.remember_unsaved(Some(Unsaved {
        generation,
        spent: current.stored.clone(),
        token: rotated,
        reason: Arc::new(reason),
    }));
}

/// Writes the sealed file and the snapshot, then shows the token to this process.
async fn expose(
    shared: &Arc<Shared>,
    held: &Arc<Held>,
    audience: &Audience,
    tokens: Tokens,
) -> Outcome {
    let contents = renewed(&held.contents, audience, tokens, shared.clock.now());
    let contents = contents.map_err(Arc::new)?;
    let (theirs, before) = (Arc::clone(shared), Arc::clone(held));
    let after = shared
        .tasks
        .blocking(move || theirs.share(&before, contents))
        .await;
    shared.publish(Standing::Somebody(Arc::clone(&after)));
    after.grant(&audience.id).map(Arc::clone).ok_or_else(|| {
        let sentence = "the identity provider's answer was lost";
        Arc::new(Failure::Refused(sentence.into()))
    })
}

/// The contents with the new token in them.
///
/// Roles and address are those of the newest verified token. An answer without one leaves them as
/// they are, but not for longer than the token they came with: who stays signed in for weeks must
/// not keep the roles of the first day.
pub(super) fn renewed(
    before: &Contents,
    audience: &Audience,
    tokens: Tokens,
    now: Timestamp,
) -> Result<Contents, Failure> {
    let mut contents = before.clone();
    match tokens.claims {
        Some(claims) => {
            // Equal roles were vouched for until the later of both ends.
            let vouched = claims.roles == contents.roles;
            let until = contents.verified_until;
            contents.verified_until = tokens.expires.max(if vouched { until } else { now });
            contents.roles = claims.roles;
            contents.identity = claims.identity;
        }
        None if contents.verified_until <= now => {
            let sentence = "the identity provider renews the token without saying whose it is and \
                            which roles he has, and what it said before has expired: it must give \
                            an ID token with each refresh, or JWT access tokens with the roles; \
                            signing in again helps for a while";
            return Err(Failure::Refused(sentence.into()));
        }
        None => {}
    }
    let token = Token {
        access: Arc::new(tokens.access),
        scopes: tokens.scopes,
        life: Life {
            begin: now,
            end: tokens.expires,
        },
    };
    contents.tokens.insert(audience.id.clone(), token);
    Ok(contents)
}

/// Ends the session that the provider refuses, unless it was replaced meanwhile.
async fn give_up(shared: &Arc<Shared>, held: &Held, refused: Current) -> Outcome {
    let (fields, theirs) = (held.fields(shared), Arc::clone(shared));
    let generation = held.who.generation;
    let is_shared = matches!(held.place, Place::Keychain { .. });
    let ended = shared.tasks.blocking(move || {
        let ended = fields.end_with(generation, &refused.stored)?;
        if ended
            && is_shared
            && let Err(error) = theirs.unshare()
        {
            tracing::warn!(%error, "the ended session's files cannot be removed");
        }
        Ok::<_, KeychainError>(ended)
    });
    let ended = ended.await.map_err(Failure::keychain)?;
    shared.publish(Standing::Unread);
    let failure = if ended {
        Failure::Ended
    } else {
        Failure::unreachable(Replaced)
    };
    Err(Arc::new(failure))
}

/// Somebody signed in while the old session was being refused.
#[derive(Debug, thiserror::Error)]
#[error("the session was replaced meanwhile; try again")]
struct Replaced;
