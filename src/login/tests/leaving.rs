//! Signing out in one process.

use super::*;
use crate::login::NoGrant;
use crate::login::keychain::KeychainError;

#[tokio::test]
async fn nobody_can_leave_who_is_not_there() {
    let world = World::new().await;
    assert!(world.session().leave().await.unwrap().is_none());
}

#[tokio::test]
async fn leaving_that_is_broken_off_keeps_the_session() {
    let world = World::new().await;
    let session = world.signed_in().await;
    let leaving = session.leave().await.unwrap().unwrap();
    assert_eq!(&*leaving.who().identity.subject, "alice");
    assert_eq!(leaving.who().generation, Generation(1));
    assert!(!format!("{leaving:?}").contains("refresh-1"));
    drop(leaving);
    assert!(session.grant(&audience(TWO)).await.is_ok());
}

#[tokio::test]
async fn the_session_is_revoked_with_its_newest_token_and_forgotten() {
    let world = World::new().await;
    let session = world.signed_in().await;
    session.grant(&audience(TWO)).await.unwrap();
    let leaving = session.leave().await.unwrap().unwrap();
    assert!(leaving.revoke().await.unwrap());
    leaving.forget().await.unwrap();
    assert_eq!(world.company.books().revoked, ["refresh-2"]);
    assert_eq!(world.store.fields(), [""; 0]);
    assert!(matches!(
        session.grant(&audience(TWO)).await,
        Err(NoGrant::NotSignedIn)
    ));
    assert!(session.who().await.unwrap().is_none());
    assert!(session.snapshot().is_none());
}

#[tokio::test]
async fn a_refresh_that_waits_for_a_logout_finds_nobody() {
    let world = World::new().await;
    let (session, other) = (world.signed_in().await, world.session());
    other.grant(&audience(ONE)).await.unwrap();
    let leaving = session.leave().await.unwrap().unwrap();
    let two = audience(TWO);
    let refresh = other.grant(&two);
    let (refreshed, forgotten) = futures_util::future::join(refresh, leaving.forget()).await;
    forgotten.unwrap();
    assert!(
        matches!(refreshed, Err(NoGrant::NotSignedIn)),
        "{refreshed:?}"
    );
    assert_eq!(world.company.requests(), 0);
    assert_eq!(world.store.fields(), [""; 0]);
}

#[tokio::test]
async fn lists_end_with_the_session_in_every_process() {
    let world = World::new().await;
    let (session, other) = (world.signed_in().await, world.session());
    other.grant(&audience(ONE)).await.unwrap();
    assert!(other.snapshot().is_some());
    session
        .leave()
        .await
        .unwrap()
        .unwrap()
        .forget()
        .await
        .unwrap();
    assert!(other.snapshot().is_none());
    // What it still holds is refused by the record; told so, it looks again.
    other.reload();
    assert!(matches!(
        other.grant(&audience(ONE)).await,
        Err(NoGrant::NotSignedIn)
    ));
}

#[tokio::test]
async fn a_session_in_memory_is_left_too() {
    let world = World::new().await;
    let session = world.session();
    let tokens = world.tokens(Duration::from_secs(300));
    let reason = KeychainError::Absent("as told".into());
    let kept = session.install_in_memory(&tokens, Generation(1), reason);
    kept.await.unwrap();
    let leaving = session.leave().await.unwrap().unwrap();
    assert!(leaving.revoke().await.unwrap());
    leaving.forget().await.unwrap();
    assert_eq!(world.company.books().revoked, ["refresh-1"]);
    assert!(matches!(
        session.grant(&audience(ONE)).await,
        Err(NoGrant::NotSignedIn)
    ));
}
