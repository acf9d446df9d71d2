//! What stands in for a keychain that several processes share.

use std::fs;
use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use crate::login::keychain::{KeychainError, SecretStore};
use crate::paths;

/// One file for each field.
#[derive(Clone)]
pub(super) struct FileStore {
    dir: PathBuf,
    pub(super) trouble: Arc<Mutex<Trouble>>,
}

/// What goes wrong.
#[derive(Default)]
pub(super) struct Trouble {
    /// Prints `stalled` and never comes back.
    pub(super) stall: Option<Stall>,
    /// How many writes of the refresh token fail; probes go well.
    pub(super) failing_writes: u32,
    /// Told of the first of them.
    pub(super) write_failed: Option<tokio::sync::oneshot::Sender<()>>,
    /// Told of the first read that finds no session.
    pub(super) nobody_found: Option<tokio::sync::oneshot::Sender<()>>,
    pub(super) locked: bool,
    pub(super) absent: bool,
    pub(super) calls: u32,
}

/// Where the refresh token's field stalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stall {
    BeforeSend,
    BeforeSave,
    AfterSave,
}

const FIELD: &str = "session.refresh";
pub(super) const WHO: &str = "session.who";

impl FileStore {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            trouble: Arc::default(),
        }
    }

    pub(super) fn fields(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    fn check(&self) -> Result<(), KeychainError> {
        let mut trouble = self.trouble.lock().unwrap();
        trouble.calls += 1;
        if trouble.absent {
            return Err(KeychainError::Absent("as told".into()));
        }
        if trouble.locked {
            return Err(KeychainError::Locked("as told".into()));
        }
        Ok(())
    }

    fn stall(&self, field: &str, at: Stall) {
        if field == FIELD && self.trouble.lock().unwrap().stall == Some(at) {
            println!("stalled");
            io::stdout().flush().unwrap();
            loop {
                std::thread::park();
            }
        }
    }
}

fn failed(error: io::Error) -> KeychainError {
    KeychainError::Failed(error.into())
}

impl SecretStore for FileStore {
    fn read(&self, field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        self.check()?;
        self.stall(field, Stall::BeforeSend);
        match fs::read(self.dir.join(field)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut trouble = self.trouble.lock().unwrap();
                if let Some(told) = trouble.nobody_found.take_if(|_| field == WHO) {
                    told.send(()).unwrap();
                }
                Ok(None)
            }
            other => other.map(Zeroizing::new).map(Some).map_err(failed),
        }
    }

    fn write(&self, field: &str, secret: &[u8]) -> Result<(), KeychainError> {
        self.check()?;
        self.stall(field, Stall::BeforeSave);
        if field == FIELD {
            let mut trouble = self.trouble.lock().unwrap();
            if trouble.failing_writes > 0 {
                trouble.failing_writes -= 1;
                if let Some(told) = trouble.write_failed.take() {
                    told.send(()).unwrap();
                }
                return Err(KeychainError::Failed("as told".into()));
            }
        }
        paths::replace_private(&self.dir.join(field), secret).map_err(failed)?;
        self.stall(field, Stall::AfterSave);
        Ok(())
    }

    fn delete(&self, field: &str) -> Result<(), KeychainError> {
        self.check()?;
        match fs::remove_file(self.dir.join(field)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(failed),
        }
    }
}
