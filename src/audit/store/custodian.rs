//! Asking for the log's keys, which may take long.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::opening::{Log, Opening};
use crate::audit::error::StoreError;
use crate::audit::key::{self, KeyError, KeyPlace, Keys};
use crate::audit::mark::{self, Mark};
use crate::lock::FileLock;
use crate::login::keychain::KeychainError;

/// How long an opening waits for the keychain before it is refused; the keychain is asked on.
const KEY_PATIENCE: Duration = Duration::from_secs(5);

/// Has the keys once they were read, and waits for them without letting anybody wait for ever: the
/// keychain is asked by a thread of its own, whose late answer serves the next attempt.
#[derive(Default)]
pub struct Custodian {
    pub(super) keys: Option<Arc<Keys>>,
    pub(super) pending: Option<Receiver<Result<Answer, KeyError>>>,
}

/// What asking for the keys led to.
pub(super) struct Answer {
    pub(super) keys: Keys,
    /// Why they are in a file.
    no_keychain: Option<KeychainError>,
    /// The head of an earlier log, which the keychain still remembers.
    earlier: Option<Earlier>,
    /// Held while the log is made.
    _lock: Option<FileLock>,
}

/// An earlier log, as the keychain remembers it.
enum Earlier {
    Known(Mark),
    /// A newer version does, in its own way.
    Newer(KeychainError),
}

impl Answer {
    /// Where the key is and why, for the first record.
    pub(super) fn story(&self) -> String {
        let key = match &self.no_keychain {
            None => "the signing key is in the keychain".to_owned(),
            Some(why) => format!("the signing key is in a private file: {why}"),
        };
        match &self.earlier {
            None => key,
            Some(Earlier::Known(Mark { log_id, size, .. })) => format!(
                "{key}; the keychain remembers an earlier log, {log_id} with {size} records"
            ),
            Some(Earlier::Newer(why)) => {
                format!("{key}; the keychain remembers an earlier log: {why}")
            }
        }
    }
}

impl Custodian {
    pub(super) fn load(
        &mut self,
        opening: &Opening<'_>,
        log: &Log,
    ) -> Result<Arc<Keys>, StoreError> {
        let kept = self
            .keys
            .as_ref()
            .filter(|keys| keys.sign_for(&log.public_key));
        let keys = match kept {
            Some(keys) => Arc::clone(keys),
            None => Arc::new(self.ask_to_load(opening, log)?.keys),
        };
        if !keys.sign_for(&log.public_key) {
            return Err(StoreError::Key(KeyError::Other(log.place)));
        }
        self.keys = Some(Arc::clone(&keys));
        Ok(keys)
    }

    fn ask_to_load(&mut self, opening: &Opening<'_>, log: &Log) -> Result<Answer, StoreError> {
        if self.pending.is_none() {
            let dir = opening.paths.data_dir.clone();
            let secrets = Arc::clone(opening.secrets);
            let (place, public) = (log.place, log.public_key.clone());
            self.ask(move || {
                Ok(Answer {
                    keys: key::load_for(&public, place, &dir, &*secrets)?,
                    no_keychain: None,
                    earlier: None,
                    _lock: None,
                })
            })?;
        }
        self.answer()
    }

    pub(super) fn create(
        &mut self,
        opening: &Opening<'_>,
        lock: FileLock,
    ) -> Result<(), StoreError> {
        let dir = opening.paths.data_dir.clone();
        let secrets = Arc::clone(opening.secrets);
        self.ask(move || {
            let (keys, no_keychain) = key::create(&dir, &*secrets)?;
            let earlier = match keys.place {
                KeyPlace::Keychain => match mark::read(&*secrets) {
                    Err(why @ KeychainError::Newer { .. }) => Some(Earlier::Newer(why)),
                    other => other?.map(Earlier::Known),
                },
                KeyPlace::File => None,
            };
            Ok(Answer {
                keys,
                no_keychain,
                earlier,
                _lock: Some(lock),
            })
        })
    }

    fn ask(
        &mut self,
        question: impl FnOnce() -> Result<Answer, KeyError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let (sender, receiver) = sync_channel(1);
        std::thread::Builder::new()
            .name("audit-key".into())
            .spawn(move || {
                // Nobody waits any more when the program is ending.
                let _sent = sender.send(question());
            })
            .map_err(|error| StoreError::Key(KeyError::Thread(error)))?;
        self.pending = Some(receiver);
        Ok(())
    }

    pub(super) fn answer(&mut self) -> Result<Answer, StoreError> {
        let Some(pending) = self.pending.take() else {
            return Err(StoreError::Key(KeyError::Pending));
        };
        match pending.recv_timeout(KEY_PATIENCE) {
            Ok(answer) => answer.map_err(StoreError::Key),
            Err(RecvTimeoutError::Timeout) => {
                self.pending = Some(pending);
                Err(StoreError::Key(KeyError::Pending))
            }
            Err(RecvTimeoutError::Disconnected) => Err(StoreError::Key(KeyError::Lost)),
        }
    }
}
