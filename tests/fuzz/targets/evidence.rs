//! Evidence proves what was signed, and nothing else: proofs lead where the definition says, and no other
//! text verifies under the key.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use chaperone::audit::bundle::{self, EvidenceRequest};
use chaperone::audit::checkpoint::{self, VerifierKey, WitnessKey};
use chaperone::audit::tree::proof::{LONGEST, extends, root_of};
use chaperone::audit::tree::{Hash, Head, node_hash};
use chaperone::audit::verify::Verdict;
use chaperone_fuzz::proofs;
use libfuzzer_sys::fuzz_target;

/// The key that the corpus' evidence is signed with, and the witness that saw it.
const KEY: &str = "chaperone/audit/fuzz+c928d943+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const WITNESS: &str = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
/// The records that were signed, and the only ones.
const RECORDS: [&str; 5] = [
    r#"{"id":"id-0","seq":0,"timestamp":"2026-01-01T00:00:00.000Z","kind":"started"}"#,
    r#"{"id":"id-1","seq":1,"timestamp":"2026-01-01T00:00:01.000Z","kind":"started"}"#,
    r#"{"id":"id-2","seq":2,"timestamp":"2026-01-01T00:00:02.000Z","kind":"started"}"#,
    r#"{"id":"id-3","seq":3,"timestamp":"2026-01-01T00:00:03.000Z","kind":"started"}"#,
    r#"{"id":"id-4","seq":4,"timestamp":"2026-01-01T00:00:04.000Z","kind":"started"}"#,
];

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("chaperone-fuzz-evidence-{}", std::process::id());
    std::env::temp_dir().join(name)
});

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    judged(data, &text);
    let key = VerifierKey::parse(KEY).unwrap();
    let witness = WitnessKey::parse(WITNESS).unwrap();
    if let Ok(found) = checkpoint::open(&text, key.key(), key.origin()) {
        assert_eq!(Ok(found), checkpoint::claimed(&text));
    }
    if let Ok(Some(found)) = checkpoint::cosigned(&text, &witness) {
        assert_eq!(Ok(found.checkpoint), checkpoint::claimed(&text));
    }
    proven(data);
});

/// What is intact was signed.
fn judged(data: &[u8], text: &str) {
    let kind = match data.first() {
        Some(b'{') => bundle::Kind::Record,
        Some(b'P') => bundle::Kind::Bundle,
        _ => return,
    };
    fs::write(&*FILE, data).unwrap();
    let report = bundle::verify(&EvidenceRequest {
        file: FILE.clone(),
        kind,
        key: Some(VerifierKey::parse(KEY).unwrap()),
        head: None,
        witnesses: Vec::new(),
    });
    let Ok(report) = report else { return };
    if report.verdict != Verdict::Changed && kind == bundle::Kind::Record {
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let record = line["record"].as_str().unwrap();
            assert!(RECORDS.contains(&record), "{record}");
        }
    }
}

/// Sizes, numbers and hashes from the input lead to the roots of the definition, or to none.
fn proven(data: &[u8]) {
    let (Some((older, rest)), hashes) = (data.split_first_chunk::<8>(), data) else {
        return;
    };
    let Some((newer, _)) = rest.split_first_chunk::<8>() else {
        return;
    };
    // Small trees are the interesting ones; large ones must not hurt.
    let shrink = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes) >> (bytes[7] % 64);
    let (older, newer) = (shrink(older), shrink(newer));
    let (hashes, _) = hashes.as_chunks::<32>();
    let hashes: Vec<Hash> = hashes.iter().take(LONGEST + 1).copied().collect();
    let leaf = node_hash(&[1; 32], &[2; 32]);
    let expected = proofs::inclusion(leaf, older, newer, &hashes);
    assert_eq!(
        root_of(leaf, older, newer, &hashes),
        expected,
        "{older} {newer}"
    );
    if let Some((old, new)) = proofs::consistency(older, newer, leaf, &hashes) {
        let (old, new) = (
            Head {
                size: older,
                root: old,
            },
            Head {
                size: newer,
                root: new,
            },
        );
        assert!(extends(&old, &new, &hashes), "{older} {newer}");
        let wrong = Head {
            root: [3; 32],
            ..new
        };
        assert!(!extends(&old, &wrong, &hashes), "{older} {newer}");
    } else if older > 0 && older != newer {
        let head = |size| Head { size, root: leaf };
        assert!(
            !extends(&head(older), &head(newer), &hashes),
            "{older} {newer}"
        );
    }
}
