//! The log through its handle, with real files and a fake keychain.

mod assumed;
#[cfg(unix)]
mod failure;
pub(crate) mod kit;
mod order;
mod record;
mod rotated;
mod verified;

use std::time::Duration;

use kit::{Desk, call, error, outcome};

use super::*;
use crate::config::Durability::{Process, Strict};
use crate::principal::Generation;

#[tokio::test]
async fn a_call_is_two_records_that_the_signed_head_covers() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let audit = desk.audit(durability);
        let generation = audit.begin_session(&kit::person()).await.unwrap();
        let (permit, call) = call("query_database", generation);
        let (admitted, receipt) = audit.admit(permit, call).await.unwrap();
        assert_eq!(admitted.permit().target(), "query_database");
        audit.settle(receipt, outcome()).await.unwrap();
        audit.close().await;
        let log = desk.read();
        assert_eq!(
            log.kinds(),
            ["log_created", "login", "intent", "outcome"],
            "{durability:?}"
        );
        assert_eq!(log.signed_size(), 4);
        assert!(log.open().is_empty());
    }
}

#[tokio::test]
async fn nothing_is_touched_before_the_first_use() {
    let desk = Desk::new();
    let audit = desk.audit(Strict);
    audit.close().await;
    assert!(!desk.paths().data_dir.exists());
    assert_eq!(desk.secrets().reads(), 0);
}

#[tokio::test]
async fn a_call_of_an_ended_session_is_refused_and_leaves_nothing() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    let who = kit::person();
    let first = audit.begin_session(&who).await.unwrap();
    let second = audit.begin_session(&who).await.unwrap();
    assert_eq!(second, Generation(first.0 + 1));
    assert_eq!(
        audit.current_session().await.unwrap(),
        Some((who.clone(), second))
    );
    assert!(!audit.end_session(&who, first).await.unwrap());
    assert!(audit.end_session(&who, second).await.unwrap());
    assert_eq!(audit.current_session().await.unwrap(), None);
    for generation in [first, second, Generation(second.0 + 1)] {
        let (permit, call) = call("query_database", generation);
        let refused = audit.admit(permit, call).await;
        assert!(matches!(refused, Err(AdmitError::SessionEnded)));
    }
    audit.close().await;
    assert_eq!(
        desk.read().kinds(),
        ["log_created", "login", "login", "logout"]
    );
}

#[tokio::test]
async fn the_rate_holds_whatever_the_calendar_says() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    let generation = audit.begin_session(&kit::person()).await.unwrap();
    for _ in 0..kit::LIMIT {
        let (permit, call) = call("list_tables", generation);
        let (_, receipt) = audit.admit(permit, call).await.unwrap();
        audit.settle(receipt, outcome()).await.unwrap();
    }
    for jump in [0, 86_400_000, -2 * 86_400_000] {
        desk.clock().set_calendar(jump);
        let (permit, call) = call("list_tables", generation);
        match audit.admit(permit, call).await {
            Err(AdmitError::RateLimited {
                retry_after,
                policy,
                per_minute,
            }) => {
                assert_eq!(retry_after, Duration::from_millis(60_001));
                assert_eq!((&*policy, per_minute), ("database-access", kit::LIMIT));
            }
            other => panic!("{other:?}"),
        }
    }
    desk.clock().advance(Duration::from_millis(60_001));
    let (permit, call) = call("list_tables", generation);
    drop(audit.admit(permit, call).await.unwrap());
    audit.close().await;
    let log = desk.read();
    let kinds = log.kinds();
    let intents = kinds.iter().filter(|kind| **kind == "intent").count();
    assert_eq!(intents, usize::try_from(kit::LIMIT).unwrap() + 1);
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "clock_jump").count(),
        2
    );
}

#[tokio::test]
async fn a_receipt_that_is_dropped_becomes_an_unknown_outcome() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let audit = desk.audit(durability);
        let generation = audit.begin_session(&kit::person()).await.unwrap();
        let (permit, call) = call("query_database", generation);
        drop(audit.admit(permit, call).await.unwrap());
        audit.close().await;
        let log = desk.read();
        assert!(log.open().is_empty());
        let last = log.last();
        assert_eq!(last["outcome"], "unknown");
        assert_eq!(last["reason"], GIVEN_UP);
        assert_eq!(last["tool_name"], "query_database");
        assert_eq!(last["user_id"], "ann@example.com");
    }
}

#[tokio::test]
async fn a_call_withdrawn_while_it_is_recorded_is_never_left_open() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let audit = desk.audit(durability);
        let generation = audit.begin_session(&kit::person()).await.unwrap();
        for polls in 0..6 {
            let (permit, call) = call("query_database", generation);
            let mut admitting = Box::pin(audit.admit(permit, call));
            for _ in 0..polls {
                let polled = futures_util::poll!(admitting.as_mut());
                if polled.is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(admitting);
        }
        audit.close().await;
        assert!(desk.read().open().is_empty(), "{durability:?}");
    }
}

#[tokio::test]
async fn closing_closes_what_is_open_and_refuses_what_comes_later() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    let generation = audit.begin_session(&kit::person()).await.unwrap();
    let (permit, first) = call("query_database", generation);
    let (_, receipt) = audit.admit(permit, first).await.unwrap();
    audit.close().await;
    assert_eq!(desk.read().last()["outcome"], "unknown");
    assert!(matches!(
        *audit.settle(receipt, outcome()).await.unwrap_err(),
        StoreError::Closed
    ));
    let (permit, call) = call("query_database", generation);
    assert!(error(audit.admit(permit, call).await).contains("closed"));
    audit.close().await;
    assert!(desk.process_locks().is_empty());
}

#[tokio::test]
async fn the_state_tells_what_a_person_asks() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    audit
        .record(Event::Started {
            agent: kit::agent(),
        })
        .await
        .unwrap();
    let state = audit.state().await;
    assert_eq!(state.records, 2);
    assert_eq!(state.head.unwrap().size, 2);
    assert_eq!(state.key_place, Some(key::KeyPlace::Keychain));
    assert!(state.problem.is_none());
    audit.close().await;
}
