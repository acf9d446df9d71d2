//! Refreshes in one process.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;

use super::company::Act;
use super::store::WHO;
use super::*;
use crate::lock::FileLock;
use crate::login::keychain::KeychainError;
use crate::login::provider::fake::values;
use crate::login::{Grant, Keeping, NoGrant};
use crate::paths;

fn roles(grant: &Grant) -> Vec<&str> {
    grant.principal.roles.iter().collect()
}

#[tokio::test]
async fn a_fresh_token_is_served_from_memory_without_asking_anybody() {
    let world = World::new().await;
    let session = world.signed_in().await;
    let calls = world.store.trouble.lock().unwrap().calls;
    for _ in 0..100 {
        let grant = session.grant(&audience(ONE)).await.unwrap();
        assert_eq!(grant.token().expose(), "first");
        assert_eq!(grant.principal.generation, Generation(1));
    }
    assert_eq!(world.store.trouble.lock().unwrap().calls, calls);
    assert_eq!(world.company.requests(), 0);
}

#[tokio::test]
async fn each_audience_gets_its_own_token_on_first_use() {
    let world = World::new().await;
    let session = world.signed_in().await;
    let two = session.grant(&audience(TWO)).await.unwrap();
    assert_eq!(two.token().expose(), "access-2-1");
    assert!(two.principal.scopes.has("mcp:tools:execute"));
    let one = session.grant(&audience(ONE)).await.unwrap();
    assert!(!one.principal.scopes.has("mcp:tools:execute"));
    let books = world.company.books();
    assert_eq!(books.requests.len(), 1);
    assert_eq!(values(&books.requests[0], "resource"), [TWO]);
}

#[tokio::test]
async fn a_hundred_callers_of_an_expired_token_make_one_request() {
    let world = World::new().await;
    let session = world.signed_in().await;
    world.clock.advance(Duration::from_secs(301));
    let one = audience(ONE);
    let calls = (0..100).map(|_| session.grant(&one));
    for grant in futures_util::future::join_all(calls).await {
        assert_eq!(grant.unwrap().token().expose(), "access-2-1");
    }
    assert_eq!(world.company.requests(), 1);
}

#[tokio::test]
async fn after_four_fifths_of_its_life_a_token_serves_while_the_next_is_fetched() {
    let world = World::new().await;
    let session = world.signed_in().await;
    world.clock.advance(Duration::from_secs(241));
    let (arrived, release) = world.company.hold(false);
    let grant = session.grant(&audience(ONE)).await.unwrap();
    assert_eq!(grant.token().expose(), "first");
    arrived.await.unwrap();
    let grant = session.grant(&audience(ONE)).await.unwrap();
    assert_eq!(grant.token().expose(), "first");
    let mut changes = session.changes();
    changes.mark_unchanged();
    drop(release);
    // The scopes of the new token differ, so its arrival is told.
    changes.changed().await.unwrap();
    let grant = session.grant(&audience(ONE)).await.unwrap();
    assert_eq!(grant.token().expose(), "access-2-1");
    assert_eq!(world.company.requests(), 1);
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once_for_all_who_hold_it() {
    let world = World::new().await;
    let session = world.signed_in().await;
    let one = audience(ONE);
    let rejected = session.grant(&one).await.unwrap();
    let calls = (0..20).map(|_| session.grant_after(&one, &rejected));
    for grant in futures_util::future::join_all(calls).await {
        assert_eq!(grant.unwrap().token().expose(), "access-2-1");
    }
    // Another process that holds the same token takes the new one from the file.
    let other = world.session();
    let grant = other.grant_after(&one, &rejected).await.unwrap();
    assert_eq!(grant.token().expose(), "access-2-1");
    assert_eq!(world.company.requests(), 1);
}

#[tokio::test]
async fn a_changed_role_takes_effect_for_every_audience_with_the_next_refresh() {
    let world = World::new().await;
    let session = world.signed_in().await;
    world.company.books().roles = json!(["admin"]);
    session.grant(&audience(TWO)).await.unwrap();
    let one = session.grant(&audience(ONE)).await.unwrap();
    assert_eq!(roles(&one), ["admin"]);
    let snapshot = session.snapshot().unwrap();
    assert!(snapshot.roles.has("admin") && !snapshot.roles.has("developer"));
    let other = world.session().grant(&audience(ONE)).await.unwrap();
    assert_eq!(roles(&other), ["admin"]);
    assert_eq!(world.company.requests(), 1);
}

#[tokio::test]
async fn roles_that_nobody_vouches_for_any_more_are_refused_with_the_reason() {
    let world = World::new().await;
    let session = world.signed_in().await;
    world.company.books().says_who = false;
    let two = session.grant(&audience(TWO)).await.unwrap();
    assert_eq!(roles(&two), ["developer"]);
    world.clock.advance(Duration::from_secs(301));
    let refused = session.grant(&audience(TWO)).await;
    let Err(NoGrant::Refused(sentence)) = refused else {
        panic!("{refused:?}");
    };
    assert!(sentence.contains("which roles he has"), "{sentence}");
    // The refresh token of the answer that was of no use is not lost.
    world.company.books().says_who = true;
    world.clock.advance(Duration::from_secs(31));
    assert!(session.grant(&audience(TWO)).await.is_ok());
}

#[tokio::test]
async fn an_answer_without_roles_costs_neither_the_session_nor_a_default() {
    let world = World::new().await;
    let session = world.signed_in().await;
    world.company.books().roles = json!({"not": "a list"});
    assert!(matches!(
        session.grant(&audience(TWO)).await,
        Err(NoGrant::Refused(_))
    ));
    // A refusal is not asked for again with every call.
    assert!(matches!(
        session.grant(&audience(TWO)).await,
        Err(NoGrant::Refused(_))
    ));
    assert_eq!(world.company.requests(), 1);
    world.company.books().roles = json!(["developer"]);
    world.clock.advance(Duration::from_secs(31));
    assert!(session.grant(&audience(TWO)).await.is_ok());
}

#[tokio::test]
async fn a_provider_in_trouble_ends_nothing_and_is_not_hammered() {
    let world = World::new().await;
    let session = world.signed_in().await;
    world.clock.advance(Duration::from_secs(301));
    world.company.act(Act::Answer(503, json!({})));
    let (one, two) = (audience(ONE), audience(TWO));
    let both = futures_util::future::join(session.grant(&one), session.grant(&two)).await;
    assert!(matches!(both.0, Err(NoGrant::Unreachable(_))), "{both:?}");
    assert!(world.company.requests() <= 2);
    world.company.books().acts.clear();
    world.company.act(Act::Answer(
        400,
        json!({"error": "temporarily_unavailable"}),
    ));
    world.clock.advance(Duration::from_secs(3));
    assert!(matches!(
        session.grant(&one).await,
        Err(NoGrant::Unreachable(_))
    ));
    world.clock.advance(Duration::from_secs(3));
    assert!(session.grant(&one).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_got_lost_is_asked_for_once_more_with_the_same_token() {
    let world = World::new().await;
    let session = world.signed_in().await;
    world.company.act(Act::Break { spent: false });
    assert!(session.grant(&audience(TWO)).await.is_ok());
    assert_eq!(world.company.requests(), 2);
    world.company.act(Act::Break { spent: true });
    world.clock.advance(Duration::from_secs(301));
    // A strict provider takes the second showing for theft; then only a sign-in helps.
    assert!(matches!(
        session.grant(&audience(TWO)).await,
        Err(NoGrant::Ended)
    ));
    assert_eq!(world.company.requests(), 4);
}

#[tokio::test]
async fn a_refused_session_is_forgotten_everywhere() {
    let world = World::new().await;
    let (session, other) = (world.signed_in().await, world.session());
    world
        .company
        .act(Act::Answer(400, json!({"error": "invalid_grant"})));
    assert!(matches!(
        session.grant(&audience(TWO)).await,
        Err(NoGrant::Ended)
    ));
    assert!(matches!(
        session.grant(&audience(TWO)).await,
        Err(NoGrant::NotSignedIn)
    ));
    assert!(matches!(
        other.grant(&audience(TWO)).await,
        Err(NoGrant::NotSignedIn)
    ));
    assert_eq!(world.store.fields(), [""; 0]);
    assert!(session.snapshot().is_none());
    assert!(!world.paths().data_dir.join("tokens.sealed").exists());
    assert_eq!(world.company.requests(), 1);
}

#[tokio::test]
async fn a_newer_token_in_the_keychain_survives_the_refusal_of_the_older() {
    let world = World::new().await;
    let session = world.signed_in().await;
    // Somebody without our lock replaces the token while the old one is being refused.
    let (arrived, release) = world.company.hold(false);
    world.company.books().strict = false;
    world.company.books().renewed_elsewhere();
    let two = audience(TWO);
    let replace = async {
        arrived.await.unwrap();
        let newer = RefreshToken(world.company.refresh_token().into());
        session
            .shared
            .fields()
            .rotate(Generation(1), &newer)
            .unwrap();
        drop(release);
    };
    let (grant, ()) = futures_util::future::join(session.grant(&two), replace).await;
    assert_eq!(grant.unwrap().token().expose(), "access-3-2");
    assert!(world.store.fields().contains(&"session.refresh".to_owned()));
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_saved_is_kept_in_memory_and_told() {
    let world = World::new().await;
    let session = world.signed_in().await;
    let (failed, failing) = oneshot::channel();
    {
        let mut trouble = world.store.trouble.lock().unwrap();
        trouble.failing_writes = 1000;
        trouble.write_failed = Some(failed);
    }
    let two = audience(TWO);
    let attempts = async {
        failing.await.unwrap();
        // By now the answer is here, and nothing but the keychain is waited for.
        tokio::time::pause();
    };
    let (grant, ()) = futures_util::future::join(session.grant(&two), attempts).await;
    tokio::time::resume();
    assert!(grant.is_ok(), "{grant:?}");
    assert!(matches!(session.keeping(), Some(Keeping::Unsaved(_))));
    // Other processes have the new access token, and no reason to show the spent refresh token.
    assert!(world.session().grant(&audience(TWO)).await.is_ok());
    assert_eq!(world.company.requests(), 1);
    world.clock.advance(Duration::from_secs(301));
    world.store.trouble.lock().unwrap().failing_writes = 0;
    assert!(session.grant(&audience(TWO)).await.is_ok());
    assert!(matches!(session.keeping(), Some(Keeping::Keychain)));
    world.clock.advance(Duration::from_secs(301));
    assert!(world.session().grant(&audience(TWO)).await.is_ok());
}

#[tokio::test]
async fn a_locked_keychain_is_told_and_asked_again_later() {
    let world = World::new().await;
    world.signed_in().await;
    let session = world.session();
    world.store.trouble.lock().unwrap().locked = true;
    let refused = session.grant(&audience(ONE)).await;
    let Err(NoGrant::Keychain(error)) = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(*error, KeychainError::Locked(_)));
    // The lists go on.
    assert!(session.snapshot().is_some());
    world.store.trouble.lock().unwrap().locked = false;
    world.clock.advance(Duration::from_secs(6));
    assert!(session.grant(&audience(ONE)).await.is_ok());
}

#[tokio::test]
async fn without_a_keychain_nobody_is_signed_in() {
    let world = World::new().await;
    world.store.trouble.lock().unwrap().absent = true;
    let session = world.session();
    assert!(matches!(
        session.grant(&audience(ONE)).await,
        Err(NoGrant::NotSignedIn)
    ));
}

#[tokio::test]
async fn a_session_of_another_provider_is_neither_used_nor_removed() {
    let world = World::new().await;
    world.signed_in().await;
    let other = World::new().await;
    let store = Arc::new(world.store.clone());
    let foreign = session(&other.company, &world.paths(), &world.tasks, store);
    assert!(matches!(
        foreign.grant(&audience(ONE)).await,
        Err(NoGrant::NotSignedIn)
    ));
    assert!(foreign.snapshot().is_none());
    assert!(world.session().grant(&audience(ONE)).await.is_ok());
}

#[tokio::test]
async fn a_session_in_memory_leaves_nothing_on_disk_and_refreshes() {
    let world = World::new().await;
    let session = world.session();
    let tokens = world.tokens(Duration::from_secs(300));
    let reason = KeychainError::Absent("as told".into());
    let kept = session.install_in_memory(&tokens, Generation(1), reason);
    kept.await.unwrap();
    assert!(session.grant(&audience(TWO)).await.is_ok());
    world.clock.advance(Duration::from_secs(301));
    assert_eq!(
        session
            .grant(&audience(TWO))
            .await
            .unwrap()
            .token()
            .expose(),
        "access-3-2"
    );
    assert!(session.snapshot().is_some());
    assert!(matches!(session.keeping(), Some(Keeping::Memory(_))));
    assert_eq!(world.store.fields(), [""; 0]);
    assert!(!world.paths().data_dir.join("tokens.sealed").exists());
    assert!(!world.paths().data_dir.join("session.json").exists());
    assert!(matches!(
        world.session().grant(&audience(ONE)).await,
        Err(NoGrant::NotSignedIn)
    ));
}

#[tokio::test]
async fn a_sign_in_of_another_process_is_noticed_on_the_next_call() {
    let world = World::new().await;
    let early = world.session();
    assert!(matches!(
        early.grant(&audience(ONE)).await,
        Err(NoGrant::NotSignedIn)
    ));
    world.signed_in().await;
    assert!(early.grant(&audience(ONE)).await.is_ok());
}

#[tokio::test]
async fn a_session_that_is_just_being_replaced_is_waited_for() {
    let world = World::new().await;
    world.signed_in().await;
    // Another process has taken the old one away, and has not kept the new one yet.
    let lock = FileLock::take(&world.paths().lock("refresh")).unwrap();
    let who = world.store.read(WHO).unwrap().unwrap();
    world.store.delete(WHO).unwrap();
    let sealed = world.paths().data_dir.join("tokens.sealed");
    let tokens = fs::read(&sealed).unwrap();
    fs::remove_file(&sealed).unwrap();
    let (told, nobody_found) = oneshot::channel();
    world.store.trouble.lock().unwrap().nobody_found = Some(told);
    let session = world.session();
    let replacing = async {
        nobody_found.await.unwrap();
        world.store.write(WHO, &who).unwrap();
        paths::replace_private(&sealed, &tokens).unwrap();
        drop(lock);
    };
    let (found, ()) = futures_util::future::join(session.who(), replacing).await;
    assert!(found.unwrap().is_some());
}

#[tokio::test]
async fn after_reload_the_session_that_replaced_this_one_is_used() {
    let world = World::new().await;
    let session = world.signed_in().await;
    let tokens = world.tokens(Duration::from_secs(300));
    world
        .session()
        .install(&tokens, Generation(2))
        .await
        .unwrap();
    let old = session.grant(&audience(ONE)).await.unwrap();
    assert_eq!(old.principal.generation, Generation(1));
    session.reload();
    let new = session.grant(&audience(ONE)).await.unwrap();
    assert_eq!(new.principal.generation, Generation(2));
}

#[tokio::test]
async fn without_servers_the_usual_token_tells_who_it_is() {
    let world = World::new().await;
    let session = Session::new(
        Some(world.company.identity(AudienceBy::Resource)),
        &NetworkConfig::default(),
        Vec::new(),
        &world.paths(),
        world.company.clock(),
        &world.tasks,
        Arc::new(world.store.clone()),
    );
    let tokens = world.tokens(Duration::from_secs(300));
    session.install(&tokens, Generation(1)).await.unwrap();
    world.clock.advance(Duration::from_secs(301));
    assert_eq!(roles(&session.anyone().await.unwrap()), ["developer"]);
    assert!(values(&world.company.books().requests[0], "resource").is_empty());
}

#[tokio::test]
async fn nothing_in_the_files_is_secret() {
    let world = World::new().await;
    let session = world.signed_in().await;
    session.grant(&audience(TWO)).await.unwrap();
    for entry in fs::read_dir(world.paths().data_dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            for secret in ["first", "access-", "refresh-"] {
                assert!(!text.contains(secret), "{} has {secret}", path.display());
            }
        }
    }
    for text in [
        format!("{session:?}"),
        format!("{:?}", session.grant(&audience(TWO)).await),
    ] {
        assert!(
            !text.contains("access-") && !text.contains("refresh-"),
            "{text}"
        );
    }
}
