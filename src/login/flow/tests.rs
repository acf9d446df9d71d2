use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::config::AudienceBy;
use crate::login::provider::fake::{Fake, audience, values};

const DEADLINE: Duration = Duration::from_secs(60);

/// Serving processes run a sign-in in a task.
fn assert_send<T: Send>(value: T) -> T {
    value
}

/// Signs in with a browser that follows every redirect; also returns its last page.
async fn sign_in(fake: &Fake) -> (Result<Tokens, LoginError>, String) {
    let audiences = [
        audience("https://one.example", &[]),
        audience("https://two.example", &[]),
    ];
    let request = SignIn {
        audiences: &audiences,
        redirect_host: "127.0.0.1",
        redirect_port: 0,
        opening: Opening::PrintOnly,
        deadline: DEADLINE,
    };
    let page = Arc::new(Mutex::new(String::new()));
    let (shown, tasks) = (Arc::clone(&page), Tasks::new());
    let announce = |link: &Url| {
        let link = link.clone();
        fake.tasks.spawn(async move {
            let last = reqwest::get(link).await.unwrap();
            assert!(last.url().query().is_none(), "{}", last.url());
            *shown.lock().unwrap() = last.text().await.unwrap();
        });
    };
    let provider = fake.provider(AudienceBy::Resource);
    let ended = assert_send(run(&provider, request, &tasks, announce)).await;
    fake.tasks.finish(DEADLINE).await;
    let page = page.lock().unwrap().clone();
    (ended, page)
}

#[tokio::test]
async fn a_person_signs_in_and_sees_it() {
    let fake = Fake::start().await;
    let (tokens, page) = sign_in(&fake).await;
    let claims = tokens.unwrap().claims.unwrap();
    assert_eq!(&*claims.identity.subject, "alice");
    assert!(page.contains("You are signed in"), "{page}");
}

#[tokio::test]
async fn a_person_who_declines_sees_that_it_failed() {
    let fake = Fake::start().await;
    fake.change(|script| script.authorization_errors.push_back("access_denied"));
    let (ended, page) = sign_in(&fake).await;
    assert!(matches!(
        ended,
        Err(LoginError::Provider(ProviderError::Aborted))
    ));
    assert!(page.contains("did not succeed"), "{page}");
}

#[tokio::test]
async fn a_provider_that_takes_one_resource_is_asked_again_in_the_same_window() {
    let fake = Fake::start().await;
    fake.change(|script| script.authorization_errors.push_back("invalid_target"));
    let (tokens, page) = sign_in(&fake).await;
    assert!(tokens.is_ok(), "{tokens:?}");
    assert!(page.contains("You are signed in"), "{page}");
    let script = fake.script.lock().unwrap();
    let asked = script.authorizations.iter();
    let asked: Vec<_> = asked.map(|pairs| values(pairs, "resource").len()).collect();
    assert_eq!(asked, [2, 1]);
    let sent = script.token_requests.iter();
    let sent: Vec<_> = sent.flat_map(|pairs| values(pairs, "resource")).collect();
    assert_eq!(sent, ["https://one.example", "https://two.example"]);
}

#[tokio::test]
async fn a_provider_that_does_not_know_one_of_the_servers_is_explained_at_the_sign_in() {
    let fake = Fake::start().await;
    fake.change(|script| {
        script.authorization_errors.push_back("invalid_target");
        script.refresh_error = Some("invalid_target");
    });
    let (ended, page) = sign_in(&fake).await;
    let Err(LoginError::Provider(ProviderError::Refused(sentence))) = ended else {
        panic!("{ended:?}");
    };
    assert!(sentence.contains("register the server"), "{sentence}");
    assert!(page.contains("did not succeed"), "{page}");
    assert_eq!(fake.script.lock().unwrap().revocations.len(), 1);
}

#[tokio::test]
async fn a_provider_that_takes_no_resource_is_explained() {
    let fake = Fake::start().await;
    for _ in 0..2 {
        fake.change(|script| script.authorization_errors.push_back("invalid_target"));
    }
    let (ended, page) = sign_in(&fake).await;
    let Err(LoginError::Provider(ProviderError::Refused(sentence))) = ended else {
        panic!("{ended:?}");
    };
    assert!(sentence.contains("audience_by"), "{sentence}");
    assert!(page.contains("did not succeed"), "{page}");
}

#[tokio::test]
async fn a_session_that_is_refused_here_is_revoked_there() {
    let fake = Fake::start().await;
    fake.answer(200, &fake.tokens(&json!({"id_token": null})));
    let (ended, page) = sign_in(&fake).await;
    assert!(matches!(
        ended,
        Err(LoginError::Provider(ProviderError::IdToken(_)))
    ));
    assert!(page.contains("did not succeed"), "{page}");
    let revoked = &fake.script.lock().unwrap().revocations;
    assert_eq!(values(&revoked[0], "token"), ["refresh-two"]);
}

#[tokio::test]
async fn nobody_is_waited_for_without_end() {
    let fake = Fake::start().await;
    let provider = fake.provider(AudienceBy::None);
    let request = SignIn {
        audiences: &[],
        redirect_host: "127.0.0.1",
        redirect_port: 0,
        opening: Opening::PrintOnly,
        deadline: DEADLINE,
    };
    let announce = |_: &Url| tokio::time::pause();
    let ended = run(&provider, request, &Tasks::new(), announce).await;
    assert!(matches!(ended, Err(LoginError::TimedOut(DEADLINE))));
}
