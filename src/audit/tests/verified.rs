//! What is written here is what the verifier reads.

use std::fs;

use super::kit::{Desk, agent, call, outcome, person};
use crate::audit::checkpoint::VerifierKey;
use crate::audit::verify::{KeySource, PinnedKey, Verdict, VerifyRequest, verify};
use crate::audit::*;
use crate::config::Durability::{Process, Strict};

/// The verdict of somebody who has the account's keychain.
fn verdict(desk: &Desk) -> Verdict {
    let keychain = key::KeyPlace::Keychain;
    let keys = key::load(keychain, &desk.paths().data_dir, desk.secrets()).unwrap();
    let mark = mark::read(desk.secrets()).unwrap().unwrap();
    let mark = mark.checkpoint().unwrap();
    let key = VerifierKey::new(&mark.origin, keys.signing.verifying_key()).unwrap();
    let request = VerifyRequest {
        database: desk.paths().audit_db(),
        key: Some(PinnedKey {
            key,
            source: KeySource::Keychain,
        }),
        head: None,
        mark: Some(mark),
    };
    let report = verify(&request).unwrap();
    report.verdict
}

async fn calls(desk: &Desk, durability: Durability) {
    let audit = desk.audit(durability);
    let generation = audit.begin_session(&person()).await.unwrap();
    for _ in 0..300 {
        let (permit, call) = call("query_database", generation);
        let (_, receipt) = audit.admit(permit, call).await.unwrap();
        audit.settle(receipt, outcome()).await.unwrap();
    }
    audit.close().await;
}

#[tokio::test]
async fn a_log_that_was_closed_is_intact_and_an_older_copy_is_not() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        calls(&desk, durability).await;
        assert_eq!(verdict(&desk), Verdict::Intact);
        let older = fs::read(desk.paths().audit_db()).unwrap();
        calls(&desk, durability).await;
        assert_eq!(verdict(&desk), Verdict::Intact);
        fs::write(desk.paths().audit_db(), older).unwrap();
        assert_eq!(verdict(&desk), Verdict::Changed);
        // Neither is it when it has grown past what the keychain remembers.
        calls(&desk, durability).await;
        calls(&desk, durability).await;
        assert_eq!(verdict(&desk), Verdict::Changed);
    }
}

#[tokio::test]
async fn a_log_in_use_can_be_verified() {
    let desk = Desk::new();
    calls(&desk, Process).await;
    let audit = desk.audit(Process);
    let event = || Event::Started { agent: agent() };
    audit.record(event()).await.unwrap();
    // The newest record is not under a signed head yet, unless the second is over.
    assert_ne!(verdict(&desk), Verdict::Changed);
    assert!(audit.state().await.head.is_some());
    assert_eq!(verdict(&desk), Verdict::Intact);
    audit.close().await;
}
