//! Sends the log elsewhere: the log is the spool, and a cursor for each sink says how far it has come.
//!
//! One process of the account sends, whichever holds the lock; a cursor moves only once the receiver
//! has taken what came before it. So every record arrives, in order, at least once, and those that
//! arrive twice have the same `id`. Whoever sends also gives a sign of life an hour, and takes the
//! content out of old records that everybody has. Where too much waits, calls that may change something
//! are refused. Witnesses are shown the newest signed head, and the proof that it continues the one
//! before.

mod channel;
mod cursor;
mod delivery;
mod directory;
mod gate;
mod heartbeat;
mod http;
mod otlp;
mod pace;
mod retention;
mod sender;
mod splunk;
mod syslog;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{SinkAuth, SinkConfig, SinkWay, SpoolLimit, WitnessConfig};
use crate::login::keychain::SecretStore;
use crate::login::{Audience, Session};
use crate::paths::Paths;
use crate::stop::Tasks;
use crate::upstream::Http;

use gate::Gate;

pub use cursor::Lag;
pub use gate::{Overdue, Size};
pub use retention::HoldError;
pub use sender::{Ended, Progress};
pub use witness::Sight;

/// What sending takes.
pub struct Setup {
    /// Where records go.
    pub sinks: Vec<SinkConfig>,
    /// Who is shown the log's heads.
    pub witnesses: Vec<WitnessConfig>,
    /// Where things lie.
    pub paths: Paths,
    /// The log, for its own affairs.
    pub audit: Audit,
    /// The person.
    pub session: Session,
    /// The way out; none where the settings of the network cannot be used.
    pub http: Option<Http>,
    /// Where values of headers are.
    pub secrets: Arc<dyn SecretStore>,
    /// How long records keep their content here after they have been sent.
    pub retention: Duration,
    /// How much may wait.
    pub spool: SpoolLimit,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who waits for what runs beside.
    pub tasks: Tasks,
}

/// Whatever sends records; clones share it.
#[derive(Clone)]
pub struct Courier(Arc<Setup>, Arc<Gate>);

impl Courier {
    /// Puts the parts together; nothing is read or sent yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let gate = Gate::new(setup.sinks.len());
        Self(Arc::new(setup), Arc::new(gate))
    }

    /// How far each sink has come, from the disk alone.
    #[must_use]
    pub fn lags(&self) -> Vec<Lag> {
        let sinks = self.0.sinks.iter();
        let now = self.0.clock.now();
        let lag = |sink| Lag::of(&self.0.paths, sink).against(&self.0.spool, now);
        sinks.map(lag).collect()
    }

    /// The sinks.
    #[must_use]
    pub fn sinks(&self) -> &[SinkConfig] {
        &self.0.sinks
    }

    /// The witnesses.
    #[must_use]
    pub fn witnesses(&self) -> &[WitnessConfig] {
        &self.0.witnesses
    }

    /// What each witness has seen, from the disk alone.
    #[must_use]
    pub fn sights(&self) -> Vec<Sight> {
        let witnesses = self.0.witnesses.iter();
        witnesses
            .map(|witness| Sight::of(&self.0.paths, witness))
            .collect()
    }

    fn log(&self) -> PathBuf {
        self.0.paths.audit_db()
    }
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}

/// For whom the person's tokens are that sinks ask for.
pub fn audiences(sinks: &[SinkConfig]) -> impl Iterator<Item = Audience> {
    sinks.iter().filter_map(|sink| match &sink.way {
        SinkWay::Otlp(receiver) | SinkWay::Splunk(receiver) => audience(&receiver.auth),
        SinkWay::Syslog(_) | SinkWay::Directory(_) => None,
    })
}

fn audience(auth: &SinkAuth) -> Option<Audience> {
    match auth {
        SinkAuth::Sso { audience, scopes } => Some(Audience {
            id: audience.clone(),
            scopes: scopes.clone(),
        }),
        SinkAuth::None | SinkAuth::Header(_) => None,
    }
}

/// Where a sink's secret is kept.
#[must_use]
pub fn secret_field(sink: &SinkConfig) -> String {
    format!("sink.{}", sink.name)
}

/// Where the private key of a sink's client certificate is kept, if it is in no file.
#[must_use]
pub fn key_field(sink: &SinkConfig) -> String {
    format!("sink.{}.key", sink.name)
}

#[cfg(test)]
mod tests;
