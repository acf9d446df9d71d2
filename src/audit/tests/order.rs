//! Many at once.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::kit::{Desk, LIMIT, call, outcome, person};
use crate::audit::*;
use crate::config::Durability::{Process, Strict};
use crate::principal::Generation;

#[tokio::test]
async fn calls_made_at_once_are_recorded_in_the_order_they_came() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let audit = desk.audit(durability);
        let generation = audit.begin_session(&person()).await.unwrap();
        // Until the log is open callers wait for that, and go on in any order.
        let agent = super::kit::agent();
        audit.record(Event::Started { agent }).await.unwrap();
        let calls: Vec<_> = (0..300)
            .map(|_| call("query_database", generation))
            .collect();
        let asked: Vec<_> = calls
            .iter()
            .map(|(_, call)| call.request_id.clone())
            .collect();
        let all = calls
            .into_iter()
            .map(|(permit, call)| audit.admit(permit, call));
        let receipts = join_all(all).await;
        let all = receipts.into_iter().map(|admitted| {
            let (_, receipt) = admitted.unwrap();
            audit.settle(receipt, outcome())
        });
        for settled in join_all(all).await {
            settled.unwrap();
        }
        audit.close().await;
        let log = desk.read();
        let intents = log
            .records
            .iter()
            .filter(|record| record["kind"] == "intent");
        let recorded: Vec<_> = intents
            .map(|record| record["request_id"].as_str().unwrap())
            .collect();
        assert!(recorded.into_iter().eq(asked.iter().map(|id| &**id)));
        assert!(log.open().is_empty());
        assert_eq!(log.records.len(), 603);
    }
}

#[tokio::test]
async fn the_refused_in_a_group_cost_the_others_nothing() {
    let desk = Desk::new();
    let audit = desk.audit(Strict);
    let generation = audit.begin_session(&person()).await.unwrap();
    let all = (0..60).map(|nth| {
        let (tool, generation) = match nth % 3 {
            0 => ("list_tables", generation),
            1 => ("query_database", generation),
            _ => ("query_database", Generation(generation.0 + 9)),
        };
        let (permit, call) = call(tool, generation);
        audit.admit(permit, call)
    });
    let mut counts = BTreeMap::new();
    let mut receipts = Vec::new();
    for admitted in join_all(all).await {
        let outcome = match admitted {
            Ok((_, receipt)) => {
                receipts.push(receipt);
                "admitted"
            }
            Err(AdmitError::RateLimited { .. }) => "limited",
            Err(AdmitError::SessionEnded) => "ended",
            Err(error @ (AdmitError::NoRoom { .. } | AdmitError::Store(_))) => panic!("{error}"),
        };
        *counts.entry(outcome).or_insert(0_u32) += 1;
    }
    let wanted = [
        ("admitted", 20 + LIMIT),
        ("ended", 20),
        ("limited", 20 - LIMIT),
    ];
    assert_eq!(counts, BTreeMap::from(wanted));
    drop(receipts);
    audit.close().await;
    assert!(desk.read().open().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_several_handles_and_threads_share_one_log() {
    let desk = Desk::new();
    let first = desk.audit(Process);
    let generation = first.begin_session(&person()).await.unwrap();
    let tasks = (0..8).map(|nth| {
        let audit = if nth % 2 == 0 {
            first.clone()
        } else {
            desk.audit(if nth % 4 == 1 { Process } else { Strict })
        };
        async move {
            for _ in 0..40 {
                let (permit, call) = call("query_database", generation);
                let (_, receipt) = audit.admit(permit, call).await.unwrap();
                audit.settle(receipt, outcome()).await.unwrap();
            }
            audit
        }
    });
    let set: tokio::task::JoinSet<_> = tasks.collect();
    for audit in set.join_all().await {
        audit.close().await;
    }
    let log = desk.read();
    assert_eq!(log.records.len(), 2 + 8 * 40 * 2);
    assert!(log.open().is_empty());
    assert_eq!(log.signed_size(), 642);
}

#[tokio::test]
async fn a_head_is_signed_every_256_records_without_waiting() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    for _ in 0..300 {
        let agent = super::kit::agent();
        audit.record(Event::Started { agent }).await.unwrap();
    }
    // Before the second in which the thread would sign is over.
    assert!(desk.read().signed_size() >= 256);
    let head = audit.state().await.head.unwrap();
    assert_eq!(head.size, 301);
    assert_eq!(desk.read().signed_size(), 301);
    audit.close().await;
}
