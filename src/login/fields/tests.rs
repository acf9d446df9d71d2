use super::*;
use crate::login::keychain::MemoryStore;

fn who(generation: u64) -> Who {
    Who {
        identity: Identity {
            issuer: "https://sso.example.com".into(),
            subject: "alice".into(),
            email: Some("alice@example.com".into()),
        },
        client_id: "desktop".into(),
        generation: Generation(generation),
        audiences: None,
    }
}

fn token(text: &str) -> RefreshToken {
    RefreshToken(Zeroizing::new(text.to_owned()))
}

fn store() -> (Arc<MemoryStore>, Fields) {
    let store = Arc::new(MemoryStore::new());
    (store.clone(), Fields::new(store))
}

/// Refuses what Windows would refuse, and fails from a certain write on.
struct Narrow {
    inside: MemoryStore,
    writes_left: std::sync::Mutex<usize>,
}

impl SecretStore for Narrow {
    fn read(&self, field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        self.inside.read(field)
    }

    fn write(&self, field: &str, secret: &[u8]) -> Result<(), KeychainError> {
        assert!(
            secret.len() <= SECRET_LIMIT,
            "{field} has {} bytes",
            secret.len()
        );
        let mut left = self.writes_left.lock().unwrap();
        *left = left
            .checked_sub(1)
            .ok_or_else(|| KeychainError::Failed("as told".into()))?;
        self.inside.write(field, secret)
    }

    fn delete(&self, field: &str) -> Result<(), KeychainError> {
        self.inside.delete(field)
    }
}

fn narrow(writes: usize) -> (Arc<Narrow>, Fields) {
    let store = Arc::new(Narrow {
        inside: MemoryStore::new(),
        writes_left: writes.into(),
    });
    (store.clone(), Fields::new(store))
}

#[test]
fn a_session_is_read_as_it_was_written() {
    let (_, fields) = store();
    assert!(fields.who().unwrap().is_none());
    let seal = Seal::random().unwrap();
    fields.begin(&who(3), &token("one"), &seal).unwrap();
    assert_eq!(fields.who().unwrap(), Some(who(3)));
    assert_eq!(fields.seal().unwrap().unwrap().bytes(), seal.bytes());
    let read = fields.refresh_token(Generation(3)).unwrap().unwrap();
    assert!(read.is(&token("one")));
    fields.end().unwrap();
    assert!(fields.who().unwrap().is_none());
    assert!(fields.seal().unwrap().is_none());
}

#[test]
fn a_token_of_another_session_is_none() {
    let (_, fields) = store();
    fields.rotate(Generation(3), &token("one")).unwrap();
    assert!(fields.refresh_token(Generation(4)).unwrap().is_none());
}

#[test]
fn only_the_session_that_was_refused_ends() {
    let (_, fields) = store();
    let seal = Seal::random().unwrap();
    fields.begin(&who(3), &token("new"), &seal).unwrap();
    assert!(!fields.end_with(Generation(3), &token("old")).unwrap());
    assert!(!fields.end_with(Generation(2), &token("new")).unwrap());
    assert_eq!(fields.who().unwrap(), Some(who(3)));
    assert!(fields.end_with(Generation(3), &token("new")).unwrap());
    assert!(fields.who().unwrap().is_none());
}

#[test]
fn a_long_token_is_kept_in_parts_that_take_turns() {
    let (store, fields) = narrow(usize::MAX);
    for length in [1, 2391, 2392, 5000, 2400 * 3, 20_000, 10, 30_000] {
        let long = token(&"x".repeat(length));
        fields.rotate(Generation(3), &long).unwrap();
        let read = fields.refresh_token(Generation(3)).unwrap().unwrap();
        assert!(read.is(&long), "{length}");
    }
    fields.end().unwrap();
    for set in SETS {
        for index in 0..20 {
            assert!(
                store
                    .inside
                    .read(&part_field(set, index))
                    .unwrap()
                    .is_none()
            );
        }
    }
    let endless = token(&"x".repeat(SECRET_LIMIT * (PART_LIMIT + 1)));
    let refused = fields.rotate(Generation(3), &endless);
    assert!(matches!(refused, Err(KeychainError::TooLong { .. })));
}

#[test]
fn an_interrupted_change_leaves_the_old_token_or_the_new() {
    let (old, new) = (token(&"o".repeat(6000)), token(&"n".repeat(6000)));
    for writes in 0..4 {
        let (store, fields) = narrow(usize::MAX);
        fields.rotate(Generation(3), &old).unwrap();
        *store.writes_left.lock().unwrap() = writes;
        let changed = fields.rotate(Generation(3), &new).is_ok();
        let read = fields.refresh_token(Generation(3)).unwrap().unwrap();
        assert!(read.is(if changed { &new } else { &old }), "{writes}");
    }
}

#[test]
fn an_interrupted_sign_in_is_no_session_and_mixes_nobody_up() {
    for writes in 0..3 {
        let (store, fields) = narrow(usize::MAX);
        let seal = Seal::random().unwrap();
        fields.begin(&who(3), &token("alice's"), &seal).unwrap();
        *store.writes_left.lock().unwrap() = writes;
        let mut bob = who(4);
        bob.identity.subject = "bob".into();
        assert!(fields.begin(&bob, &token("bob's"), &seal).is_err());
        assert!(fields.who().unwrap().is_none(), "{writes}");
    }
}

#[test]
fn what_somebody_else_wrote_is_no_session() {
    let (store, fields) = store();
    for bytes in [
        &b""[..],
        b"{",
        b"\x01",
        b"\x02\0\0\0\0\0\0\0\x03",
        b"\x09\0\0\0\0\0\0\0\x03x",
    ] {
        for field in [WHO, REFRESH, SEAL] {
            store.write(field, bytes).unwrap();
        }
        assert!(fields.who().unwrap().is_none());
        assert!(fields.seal().unwrap().is_none());
        assert!(fields.refresh_token(Generation(3)).unwrap().is_none());
    }
}
