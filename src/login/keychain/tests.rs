use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use super::worker::{NoAnswer, Worker};
use super::*;

/// Keeps nothing, as a keychain without a collection does, or gives back something else.
struct Odd(Option<&'static [u8]>);

impl SecretStore for Odd {
    fn read(&self, _field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        Ok(self.0.map(|secret| Zeroizing::new(secret.to_vec())))
    }

    fn write(&self, _field: &str, _secret: &[u8]) -> Result<(), KeychainError> {
        Ok(())
    }

    fn delete(&self, _field: &str) -> Result<(), KeychainError> {
        Ok(())
    }
}

#[test]
fn a_store_that_does_not_give_back_is_not_usable() {
    MemoryStore::new().probe().unwrap();
    for odd in [Odd(None), Odd(Some(b"something else"))] {
        assert!(matches!(odd.probe(), Err(KeychainError::Forgetful)));
    }
}

#[test]
fn a_probe_leaves_nothing_behind() {
    let store = MemoryStore::new();
    store.write("session.refresh", b"kept").unwrap();
    store.probe().unwrap();
    assert_eq!(
        store.read("session.refresh").unwrap().unwrap().as_slice(),
        b"kept"
    );
    assert_eq!(format!("{store:?}"), "MemoryStore(..)");
    store.delete("session.refresh").unwrap();
    store.delete("session.refresh").unwrap();
    assert!(store.read("session.refresh").unwrap().is_none());
}

#[test]
fn a_keychain_that_waits_for_somebody_is_given_up_and_not_queued_for() {
    let worker = Worker::new(Duration::from_millis(50));
    let (answer, dialogue) = mpsc::channel::<()>();
    let (came_back, back) = mpsc::channel();
    let waiting = worker.run(move || {
        dialogue.recv().unwrap();
        came_back.send(()).unwrap();
    });
    assert!(matches!(waiting, Err(NoAnswer::TimedOut)));
    // The next call does not wait, and what it would have done never happens.
    let never = Arc::new(());
    let theirs = Arc::clone(&never);
    assert!(matches!(
        worker.run(move || drop(theirs)),
        Err(NoAnswer::TimedOut)
    ));
    assert_eq!(Arc::strong_count(&never), 1);
    answer.send(()).unwrap();
    back.recv().unwrap();
    // The thread clears the mark right after the job; the first run that gets through proves it.
    let worker = std::iter::repeat_with(|| worker.run(|| 7)).find_map(Result::ok);
    assert_eq!(worker, Some(7));
}

#[test]
fn a_call_that_had_to_queue_too_long_never_happens() {
    let worker = Arc::new(Worker::new(Duration::from_millis(50)));
    let (answer, dialogue) = mpsc::channel::<()>();
    let (began, start) = mpsc::channel();
    let other = Arc::clone(&worker);
    let first = std::thread::spawn(move || {
        other.run(move || {
            began.send(()).unwrap();
            dialogue.recv().unwrap();
        })
    });
    start.recv().unwrap();
    let (write, written) = mpsc::channel();
    assert!(worker.run(move || write.send(()).unwrap()).is_err());
    answer.send(()).unwrap();
    // Its answer may have been given up as well; only that it ended matters.
    let _either = first.join().unwrap();
    assert!(written.recv().is_err());
}

#[test]
fn a_job_that_panics_costs_one_answer() {
    let worker = Worker::new(Duration::from_secs(5));
    assert!(matches!(
        worker.run(|| panic!("as a store might")),
        Err(NoAnswer::Gone)
    ));
    assert_eq!(worker.run(|| 7).unwrap(), 7);
}

#[test]
fn every_failure_tells_the_next_step() {
    let source = || -> Box<dyn Error + Send + Sync> { "why".into() };
    for error in [
        KeychainError::Absent(source()),
        KeychainError::Locked(source()),
        KeychainError::Silent(20),
        KeychainError::Forgetful,
        KeychainError::TooLong { limit: 2560 },
        KeychainError::Failed(source()),
    ] {
        assert!(error.next_step().ends_with('.'), "{error}");
    }
}

#[test]
fn a_secret_that_would_not_fit_on_windows_is_refused_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let keychain = OsKeychain::new(dir.path());
    let refused = keychain.write("field", &[0; SECRET_LIMIT + 1]);
    assert!(matches!(refused, Err(KeychainError::TooLong { .. })));
}
