//! From an expired token to a fresh one, once for all threads and processes.
//!
//! Most providers give a new refresh token with each answer and end the session of whoever shows an
//! old one. So there is one refresh at a time in this process, and one on this account (a kernel
//! lock), and who comes second finds the first one's result in the sealed file. A new refresh token
//! is kept, and read back, before the answer is used; the work belongs to a task that no caller can
//! cancel; and a session is given up only when the provider refuses exactly the token that the
//! keychain holds. A process that is killed in between costs a sign-in at worst.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::Audience;
use super::grant::{AccessToken, Grant, NoGrant};
use super::shared::{Held, Place, Shared, Standing, locked};
use super::waiting;
use crate::clock::Timestamp;

mod failure;
mod rotate;

pub(super) use failure::Failure;

/// How long another process may take; it refreshes for half a minute at most.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// How long another process may take to keep a new session in the place of the old.
const REPLACING_PATIENCE: Duration = Duration::from_secs(5);

/// A refresh under way, for everybody who waits for it.
pub(super) type Flight = futures_util::future::Shared<oneshot::Receiver<Outcome>>;
type Outcome = Result<Arc<Grant>, Arc<Failure>>;

/// The refreshes of this process, by audience.
#[derive(Default)]
pub(super) struct Flights {
    under_way: HashMap<Box<str>, Flight>,
    failures: HashMap<Box<str>, (Timestamp, Arc<Failure>)>,
    /// The last failure that says nothing about an audience.
    provider: Option<(Timestamp, Arc<Failure>)>,
}

/// A token is wanted that is fresh and not one that a server has just refused.
struct Wanted<'a> {
    audience: &'a Audience,
    rejected: Option<Arc<AccessToken>>,
}

/// Gets a token, joining whoever is at it already.
pub(super) async fn grant(
    shared: &Arc<Shared>,
    audience: &Audience,
    rejected: Option<&Grant>,
) -> Result<Arc<Grant>, NoGrant> {
    let mut landed = flight(shared, audience, rejected).await;
    // The flight that was joined may have set out before the token was refused.
    if let (Ok(Ok(grant)), Some(rejected)) = (&landed, rejected)
        && grant.shows(rejected.token())
    {
        landed = flight(shared, audience, Some(rejected)).await;
    }
    match landed {
        Ok(outcome) => outcome.map_err(|failure| failure.no_grant()),
        Err(_) => Err(Failure::stopping().no_grant()),
    }
}

/// Starts a refresh in a task of its own, or joins the one under way. A failure counts for a while.
pub(super) fn flight(
    shared: &Arc<Shared>,
    audience: &Audience,
    rejected: Option<&Grant>,
) -> Flight {
    let now = shared.clock.now();
    let mut flights = locked(&shared.flights);
    if let Some(flight) = flights.under_way.get(&audience.id) {
        return flight.clone();
    }
    let (sender, receiver) = oneshot::channel();
    let flight = receiver.shared();
    if let Some(failure) = flights.recent_failure(&audience.id, now) {
        // The receiver is alive, three lines up.
        let _sent = sender.send(Err(failure));
        return flight;
    }
    flights.join(&audience.id, flight.clone());
    drop(flights);
    let (theirs, audience) = (Arc::clone(shared), shared.audience(audience));
    let rejected = rejected.map(Grant::secret);
    shared.tasks.spawn(async move {
        let wanted = Wanted {
            audience: &audience,
            rejected,
        };
        let outcome = obtain(&theirs, &wanted, now).await;
        let landed = theirs.clock.now();
        locked(&theirs.flights).land(&audience.id, &outcome, landed);
        // Everybody who waited may have gone.
        let _unheard = sender.send(outcome);
    });
    flight
}

/// Reads what other processes may have changed.
pub(super) async fn look(shared: &Arc<Shared>) -> Result<(), NoGrant> {
    let _turn = shared.turn.lock().await;
    let read = read_again(shared).await;
    read.map(drop).map_err(|failure| failure.no_grant())
}

async fn obtain(shared: &Arc<Shared>, wanted: &Wanted<'_>, asked: Timestamp) -> Outcome {
    let _turn = shared.turn.lock().await;
    // Whoever had the turn before may have found out that nobody answers.
    let failure = locked(&shared.flights).provider_failure_since(asked);
    if let Some(failure) = failure {
        return Err(failure);
    }
    let now = shared.clock.now();
    if let Some(grant) = wanted.found_in(&shared.standing(), now) {
        return Ok(grant);
    }
    let standing = read_again(shared).await?;
    if let Some(grant) = wanted.found_in(&standing, now) {
        return Ok(grant);
    }
    let held = somebody(standing)?;
    if matches!(held.place, Place::Memory { .. }) {
        return rotate::refresh(shared, &held, wanted.audience).await;
    }
    let path = shared.paths.lock("refresh");
    let lock = waiting::lock(path, LOCK_PATIENCE, &shared.tasks).await;
    let _lock = lock.map_err(|error| Arc::new(Failure::unreachable(error)))?;
    let standing = read(shared).await?;
    if let Some(grant) = wanted.found_in(&standing, shared.clock.now()) {
        return Ok(grant);
    }
    rotate::refresh(shared, &somebody(standing)?, wanted.audience).await
}

fn somebody(standing: Standing) -> Result<Arc<Held>, Arc<Failure>> {
    match standing {
        Standing::Somebody(held) => Ok(held),
        Standing::Nobody(_) | Standing::Unread => Err(Arc::new(Failure::NotSignedIn)),
    }
}

/// Whoever keeps a session in the place of another takes the old one away first. Where nobody is found
/// he may be at that, and is waited for.
async fn read_again(shared: &Arc<Shared>) -> Result<Standing, Arc<Failure>> {
    let mut found = changed_since(shared, shared.standing()).await?;
    if matches!(found, Standing::Nobody(_)) {
        let path = shared.paths.lock("refresh");
        match waiting::lock(path, REPLACING_PATIENCE, &shared.tasks).await {
            Ok(_lock) => found = changed_since(shared, found).await?,
            Err(error) => tracing::debug!(%error, "whether a session is being kept is not known"),
        }
    }
    shared.publish(found.clone());
    Ok(found)
}

async fn changed_since(shared: &Arc<Shared>, standing: Standing) -> Result<Standing, Arc<Failure>> {
    let theirs = Arc::clone(shared);
    let read = shared.tasks.blocking(move || theirs.read_again(&standing));
    read.await.map_err(Failure::keychain)
}

async fn read(shared: &Arc<Shared>) -> Result<Standing, Arc<Failure>> {
    let theirs = Arc::clone(shared);
    let read = shared.tasks.blocking(move || theirs.read());
    let read = read.await.map_err(Failure::keychain)?;
    shared.publish(read.clone());
    Ok(read)
}

impl Wanted<'_> {
    fn found_in(&self, standing: &Standing, now: Timestamp) -> Option<Arc<Grant>> {
        let Standing::Somebody(held) = standing else {
            return None;
        };
        let grant = held.grant(&self.audience.id)?;
        let refused = |token: &Arc<AccessToken>| grant.shows(token);
        let serves = grant.life().is_fresh(now) && !self.rejected.as_ref().is_some_and(refused);
        serves.then(|| Arc::clone(grant))
    }
}

impl Flights {
    /// Has everybody who wants the audience's token wait for this flight.
    pub(super) fn join(&mut self, audience: &str, flight: Flight) {
        self.under_way.insert(audience.into(), flight);
    }

    pub(super) fn forget_failures(&mut self) {
        self.failures.clear();
        self.provider = None;
    }

    fn recent_failure(&self, audience: &str, now: Timestamp) -> Option<Arc<Failure>> {
        let (at, failure) = self.failures.get(audience)?;
        // A failure of the future is one from before somebody set the calendar.
        let counts = *at <= now && now.since(*at) < failure.counts_for();
        counts.then(|| Arc::clone(failure))
    }

    fn provider_failure_since(&self, asked: Timestamp) -> Option<Arc<Failure>> {
        let (at, failure) = self.provider.as_ref()?;
        (*at > asked).then(|| Arc::clone(failure))
    }

    fn land(&mut self, audience: &str, outcome: &Outcome, now: Timestamp) {
        self.under_way.remove(audience);
        match outcome {
            Ok(_) => {
                self.failures.remove(audience);
                self.provider = None;
            }
            Err(failure) => {
                if failure.is_of_every_audience() {
                    self.provider = Some((now, Arc::clone(failure)));
                }
                self.failures
                    .insert(audience.into(), (now, Arc::clone(failure)));
            }
        }
    }
}
