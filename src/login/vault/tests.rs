use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;

fn seal() -> Seal {
    Seal::random().unwrap()
}

fn contents(generation: u64) -> Contents {
    let token = Token {
        access: Arc::new(AccessToken("secret-access".into())),
        scopes: ["mcp:tools:read"].into_iter().collect(),
        life: Life {
            begin: Timestamp::from_millis(0),
            end: Timestamp::from_millis(MINUTE),
        },
    };
    Contents {
        generation: Generation(generation),
        identity: Identity {
            issuer: "https://sso.example.com".into(),
            subject: "alice".into(),
            email: None,
        },
        roles: ["developer"].into_iter().collect(),
        verified_until: Timestamp::from_millis(MINUTE),
        tokens: BTreeMap::from([("https://one.example".into(), token)]),
    }
}

#[test]
fn what_is_sealed_is_opened_with_its_key_and_generation_alone() {
    let (ours, theirs) = (seal(), seal());
    let file = sealed(&contents(7), &ours).unwrap();
    assert_eq!(open(&file, &ours, Generation(7)), Some(contents(7)));
    assert_eq!(open(&file, &theirs, Generation(7)), None);
    assert_eq!(open(&file, &ours, Generation(8)), None);
    // A file whose head was changed to fit does not open either.
    let mut moved = file.clone();
    moved[HEAD - 1] = 8;
    assert_eq!(open(&moved, &ours, Generation(8)), None);
    let text = String::from_utf8_lossy(&file).into_owned();
    assert!(!text.contains("alice") && !text.contains("secret"));
}

#[test]
fn every_changed_bit_and_every_cut_is_noticed() {
    let seal = seal();
    let file = sealed(&contents(7), &seal).unwrap();
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&changed, &seal, Generation(7)), None, "bit {bit}");
    }
    for length in 0..file.len() {
        assert_eq!(
            open(&file[..length], &seal, Generation(7)),
            None,
            "{length}"
        );
    }
}

proptest! {
    #[test]
    fn no_file_is_too_odd(file in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(open(&file, &seal(), Generation(7)), None);
    }
}

#[test]
fn the_file_is_private_replaced_whole_and_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault {
        path: dir.path().join("data/tokens.sealed"),
    };
    let seal = seal();
    assert_eq!(vault.stamp(), None);
    assert_eq!(vault.read(&seal, Generation(1)), None);
    vault.write(&seal, &contents(1)).unwrap();
    let first = vault.stamp().unwrap();
    assert_eq!(vault.stamp().unwrap(), first);
    vault.write(&seal, &contents(1)).unwrap();
    assert_ne!(vault.stamp().unwrap(), first);
    assert_eq!(vault.read(&seal, Generation(1)), Some(contents(1)));
    vault.delete().unwrap();
    vault.delete().unwrap();
    assert_eq!(vault.stamp(), None);
}

#[cfg(unix)]
#[test]
fn a_file_that_is_a_link_is_not_used() {
    use std::os::unix::fs::{MetadataExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let [vault, linked] = ["tokens.sealed", "linked"].map(|name| Vault {
        path: dir.path().join(name),
    });
    let seal = seal();
    vault.write(&seal, &contents(1)).unwrap();
    assert_eq!(fs::metadata(&vault.path).unwrap().mode() & 0o777, 0o600);
    symlink(&vault.path, &linked.path).unwrap();
    assert_eq!(linked.read(&seal, Generation(1)), None);
}
