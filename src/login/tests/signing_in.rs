//! Sign-ins in this process.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use url::Url;

use super::*;
use crate::lock::FileLock;
use crate::login::flow::Opening;
use crate::login::keychain::KeychainError;
use crate::login::link::Told;
use crate::login::{BeginSession, Here, Keeping, SignInError};

pub(super) const HERE: Here = Here {
    opening: Opening::PrintOnly,
    deadline: Duration::from_secs(60),
};

/// A record that numbers sessions from 1.
pub(super) fn record() -> BeginSession {
    let count = Arc::new(AtomicU64::new(0));
    Arc::new(move |_: Identity| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok(Generation(number)) }.boxed()
    })
}

/// The person's browser, which follows every redirect.
pub(super) async fn visit(link: Url) {
    let last = reqwest::get(link).await.unwrap();
    assert!(last.text().await.unwrap().contains("You are signed in"));
}

fn visited_by(tasks: &Tasks) -> impl FnOnce(&Url) + Send {
    let tasks = tasks.clone();
    move |link: &Url| tasks.spawn(visit(link.clone()))
}

#[tokio::test]
async fn a_sign_in_becomes_a_session_for_all_processes() {
    let world = World::new().await;
    let (session, other) = (world.session().recording(record()), world.session());
    let link_file = session.shared.link_file.clone();
    let visited = visited_by(&world.tasks);
    let who = session.sign_in(HERE, move |link| {
        assert_eq!(link_file.read(), Some(Told::Link(link.clone())));
        visited(link);
    });
    let who = who.await.unwrap();
    assert_eq!(
        (&*who.identity.subject, who.generation),
        ("alice", Generation(1))
    );
    assert!(other.grant(&audience(ONE)).await.is_ok());
    assert!(matches!(other.keeping(), Some(Keeping::Keychain)));
    let told = session.shared.link_file.read();
    assert!(matches!(told, Some(Told::Success { .. })), "{told:?}");
    let signed_in = other.who().await.unwrap().unwrap();
    assert_eq!(signed_in.who, who);
    assert!(signed_in.roles.has("developer"));
    assert!(signed_in.tokens[ONE].0.has("mcp:tools:execute"));
}

#[tokio::test]
async fn one_sign_in_at_a_time() {
    let world = World::new().await;
    let session = world.session().recording(record());
    let held = FileLock::try_take(&world.paths().lock("login")).unwrap();
    let refused = session.sign_in(HERE, |_| panic!("no link")).await;
    assert!(matches!(refused, Err(SignInError::UnderWay)), "{refused:?}");
    drop(held);
    assert!(
        session
            .sign_in(HERE, visited_by(&world.tasks))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn without_a_keychain_the_command_refuses_and_says_why_to_those_who_wait() {
    let world = World::new().await;
    world.store.trouble.lock().unwrap().locked = true;
    let session = world.session().recording(record());
    let refused = session.sign_in(HERE, |_| panic!("no link")).await;
    let reason = KeychainError::Locked("as told".into());
    assert!(
        matches!(refused, Err(SignInError::Keychain(_))),
        "{refused:?}"
    );
    let Some(Told::Failure { sentence, .. }) = session.shared.link_file.read() else {
        panic!("nothing was told");
    };
    assert!(sentence.contains(&reason.to_string()) && sentence.contains(reason.next_step()));
    assert_eq!(world.company.books().revoked, [""; 0]);
}

#[tokio::test]
async fn a_session_that_cannot_be_kept_or_recorded_is_revoked() {
    let world = World::new().await;
    let failing: BeginSession = Arc::new(|_| async { Err("disk full".into()) }.boxed());
    let session = world.session().recording(failing);
    let refused = session.sign_in(HERE, visited_by(&world.tasks)).await;
    assert!(
        matches!(refused, Err(SignInError::Record(_))),
        "{refused:?}"
    );
    assert_eq!(world.company.books().revoked.len(), 1);
    world.store.trouble.lock().unwrap().failing_writes = 1;
    let session = world.session().recording(record());
    let refused = session.sign_in(HERE, visited_by(&world.tasks)).await;
    assert!(
        matches!(refused, Err(SignInError::Install(_))),
        "{refused:?}"
    );
    assert_eq!(world.company.books().revoked.len(), 2);
    assert!(session.who().await.unwrap().is_none());
}

/// A session of a serving process that has no keychain.
fn without_keychain(world: &World) -> Session {
    world.store.trouble.lock().unwrap().absent = true;
    let mut session = world.session().recording(record());
    let shared = Arc::get_mut(&mut session.shared).unwrap();
    shared.opening = Opening::PrintOnly;
    session
}

#[tokio::test]
async fn without_a_keychain_the_serving_process_signs_in_by_itself() {
    let world = World::new().await;
    let session = without_keychain(&world);
    let link = session.begin_sign_in().await.unwrap();
    // Asking again shows the same page.
    assert_eq!(session.begin_sign_in().await.unwrap().url, link.url);
    let (ended, ()) = futures_util::future::join(session.signed_in(), visit(link.url)).await;
    assert!(ended);
    assert!(session.grant(&audience(TWO)).await.is_ok());
    assert!(matches!(session.keeping(), Some(Keeping::Memory(_))));
    assert!(session.signed_in().await);
    assert_eq!(world.store.fields(), [""; 0]);
}

#[tokio::test]
async fn a_failed_sign_in_in_memory_is_told_and_can_be_repeated() {
    let world = World::new().await;
    let session = without_keychain(&world);
    let link = session.begin_sign_in().await.unwrap();
    // A page that was not the person's navigation does not end it; the person declining does.
    let callback = link.url.query_pairs();
    let value = |name| callback.clone().find(|(found, _)| found == name).unwrap().1;
    let mut back = Url::parse(&value("redirect_uri")).unwrap();
    back.query_pairs_mut()
        .append_pair("error", "access_denied")
        .append_pair("state", &value("state"))
        .append_pair("iss", world.company.issuer());
    let (ended, _page) = futures_util::future::join(session.signed_in(), reqwest::get(back)).await;
    assert!(!ended);
    let again = session.begin_sign_in().await.unwrap();
    assert_ne!(again.url, link.url);
    let (ended, ()) = futures_util::future::join(session.signed_in(), visit(again.url)).await;
    assert!(ended);
}

#[tokio::test]
async fn nobody_signs_in_without_provider_or_record() {
    let world = World::new().await;
    world.store.trouble.lock().unwrap().absent = true;
    let refused = world.session().begin_sign_in().await;
    let Err(SignInError::Shared(error)) = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(*error, SignInError::Keychain(_)));
    let nowhere = Session::new(
        None,
        &NetworkConfig::default(),
        Vec::new(),
        &world.paths(),
        world.company.clock(),
        &world.tasks,
        Arc::new(world.store.clone()),
    );
    assert!(matches!(
        nowhere.begin_sign_in().await,
        Err(SignInError::NotConfigured)
    ));
    assert!(nowhere.snapshot().is_none());
}
