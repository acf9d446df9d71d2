//! Showing the log's head to witnesses, who cosign it if it continues what they saw before.
//!
//! What they say is kept in the log's file. A witness whose memory contradicts the log has found that it
//! was cut, put back or written anew; that is on record, and it is asked again.

mod answer;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

use self::answer::Answer;
use super::Courier;
use super::channel::CONNECT;
use super::http::{Reply, post};
use super::pace::Pace;
use crate::audit::witness::{Continuation, ContinuationError, continuation, newest};
use crate::audit::{Cosigned, Event};
use crate::config::WitnessConfig;
use crate::paths::{self, Paths};
use crate::wording::chain;

/// Grows when the file's shape changes; a file of another version counts as none.
const VERSION: u32 = 1;
/// How often a witness may name another size before it is left for later.
const ROUNDS: usize = 3;

/// What a witness has seen, for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// The witness.
    pub witness: Box<str>,
    /// Where it is.
    pub to: Box<str>,
    /// How many records the newest head covers that it cosigned.
    pub seen: u64,
    /// When it did, by its own clock.
    pub time: Option<Box<str>>,
    /// Why it cosigns nothing now.
    pub problem: Option<Box<str>>,
}

impl Sight {
    /// What is kept of a witness: in the log what it saw, beside it why it sees nothing now.
    pub(super) fn of(paths: &Paths, witness: &WitnessConfig) -> Self {
        let seen = newest(&paths.audit_db(), witness.name.as_str(), &witness.key);
        Self {
            witness: witness.name.as_str().into(),
            to: witness.url.as_str().into(),
            seen: seen.as_ref().map_or(0, |seen| seen.checkpoint.head.size),
            time: seen.map(|seen| seen.time.to_string().into()),
            problem: Trouble::load(&file(paths, witness)).problem,
        }
    }
}

/// Why a witness cosigns nothing now, for whoever asks how it is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trouble {
    version: u32,
    problem: Option<Box<str>>,
    /// Whether a contradiction is on record, and not resolved.
    is_contradicted: bool,
}

impl Trouble {
    fn load(file: &Path) -> Self {
        let kept = std::fs::read(file).ok();
        let kept = kept.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        kept.filter(|kept| kept.version == VERSION)
            .unwrap_or_default()
    }

    fn keep(mut self, file: &Path) {
        self.version = VERSION;
        if let Err(error) = self.store(file) {
            tracing::warn!(%error, "what keeps a witness from cosigning cannot be kept");
        }
    }

    fn store(&self, file: &Path) -> io::Result<()> {
        paths::replace_private(file, &serde_json::to_vec(self)?)
    }
}

fn file(paths: &Paths, witness: &WitnessConfig) -> PathBuf {
    let name = format!("{}.json", witness.name);
    paths.witness_dir().join(name)
}

/// What came of showing a head.
#[derive(Debug)]
enum Shown {
    /// There is none, or the witness has seen it before.
    Nothing,
    /// The witness cosigned it.
    Cosigned,
}

/// Why a head is not cosigned.
#[derive(Debug)]
enum Unseen {
    /// It is to be shown again, no sooner than that.
    Later(String, Option<Duration>),
    /// The log contradicts what the witness saw.
    Contradicted(String),
}

impl From<ContinuationError> for Unseen {
    fn from(error: ContinuationError) -> Self {
        let why = chain(&error);
        match error {
            ContinuationError::Shorter { .. } => Self::Contradicted(why),
            ContinuationError::Read(_) | ContinuationError::Changed => Self::Later(why, None),
        }
    }
}

impl Courier {
    /// Shows the newest head from time to time, as long as this process is the one that sends.
    pub(super) async fn show_for_ever(&self, witness: &WitnessConfig) {
        let mut pace = Pace::default();
        loop {
            let pause = match self.shown(witness).await {
                Ok(()) => {
                    pace.reset();
                    witness.every
                }
                Err((why, after)) => {
                    let pause = pace.pause(after);
                    let witness = witness.name.as_str();
                    tracing::warn!(witness, why, ?pause, "the newest head is not cosigned");
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Shows the newest head now.
    ///
    /// # Errors
    /// Why the witness does not cosign it.
    pub async fn show_now(&self, witness: &WitnessConfig) -> Result<(), String> {
        self.shown(witness).await.map_err(|(why, _)| why)
    }

    /// Shows the newest head, keeps what is wrong, and puts a contradiction on record once.
    async fn shown(&self, witness: &WitnessConfig) -> Result<(), (String, Option<Duration>)> {
        let (file, done) = (file(&self.0.paths, witness), self.show(witness).await);
        let before = Trouble::load(&file);
        let (why, after, is_contradicted) = match done {
            Ok(Shown::Nothing) => return Ok(()),
            Ok(Shown::Cosigned) => {
                if before.problem.is_some() {
                    Trouble::default().keep(&file);
                }
                return Ok(());
            }
            Err(Unseen::Later(why, after)) => (why, after, false),
            Err(Unseen::Contradicted(why)) => (why, None, true),
        };
        let mut now = before.clone();
        if is_contradicted && !before.is_contradicted {
            now.is_contradicted = self.contradicted(witness, &why).await;
        }
        now.problem = Some(why.as_str().into());
        if now != before {
            now.keep(&file);
        }
        Err((why, after))
    }

    /// Whether it is on record.
    async fn contradicted(&self, witness: &WitnessConfig, why: &str) -> bool {
        let event = Event::Contradicted {
            witness: witness.name.as_str().into(),
            why: why.into(),
        };
        let recorded = self.0.audit.record(event).await;
        if let Err(error) = &recorded {
            let error = chain(error.as_ref());
            tracing::error!(error, "that a witness contradicts the log is not on record");
        }
        recorded.is_ok()
    }

    async fn show(&self, witness: &WitnessConfig) -> Result<Shown, Unseen> {
        let mut seen = None;
        for _ in 0..ROUNDS {
            let Some(shown) = self.continuation(witness, seen).await? else {
                return Ok(Shown::Nothing);
            };
            if seen.is_none() && shown.old == shown.frontier.size() {
                return Ok(Shown::Nothing);
            }
            let reply = self.ask(witness, &shown).await?;
            match answer::read(&reply, &shown.note, &witness.key) {
                Answer::Cosigned(note) => {
                    self.cosigned(witness, &shown, note).await?;
                    return Ok(Shown::Cosigned);
                }
                Answer::Saw(size) => seen = Some(size),
                Answer::Contradicts(why) => return Err(Unseen::Contradicted(why)),
                Answer::Later(why) => return Err(Unseen::Later(why, reply.after)),
            }
        }
        let why = "it names another size each time that it is asked".to_owned();
        Err(Unseen::Later(why, None))
    }

    async fn continuation(
        &self,
        witness: &WitnessConfig,
        seen: Option<u64>,
    ) -> Result<Option<Continuation>, Unseen> {
        let log = self.log();
        if !log.exists() {
            return Ok(None);
        }
        let name = witness.name.clone();
        let read = move || continuation(&log, name.as_str(), seen);
        Ok(self.0.tasks.blocking(read).await?)
    }

    async fn ask(&self, witness: &WitnessConfig, shown: &Continuation) -> Result<Reply, Unseen> {
        let mut url = witness.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("add-checkpoint");
        }
        let body = answer::request(shown);
        let kind = (CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
        let asking = async {
            let Some(http) = &self.0.http else {
                return Err("the settings of the network cannot be used".to_owned());
            };
            let client = http.client_for(&url, CONNECT, &self.0.tasks).await;
            let client = client.map_err(|error| chain(&error))?;
            let head = [kind].into_iter().collect();
            post(&client, url, head, body.into_bytes()).await
        };
        let reply = tokio::time::timeout(witness.timeout, asking).await;
        let reply = reply.unwrap_or_else(|_late| Err("it did not answer in time".into()));
        reply.map_err(|why| Unseen::Later(why, None))
    }

    async fn cosigned(
        &self,
        witness: &WitnessConfig,
        shown: &Continuation,
        note: String,
    ) -> Result<(), Unseen> {
        let kept = self.0.audit.cosigned(Cosigned {
            witness: witness.name.as_str().into(),
            size: shown.frontier.size(),
            frontier: shown.frontier.to_bytes(),
            note: note.into(),
        });
        let kept = kept.await;
        kept.map_err(|why| Unseen::Later(chain(why.as_ref()), None))
    }
}
