use super::*;

#[tokio::test]
async fn a_new_key_is_fetched_but_only_once_a_minute() {
    let fake = Fake::start().await;
    let provider = fake.provider(AudienceBy::None);
    let person = alice(&fake);
    let to = audience(DATABASE, &[]);
    let signed_by = |id: &str| {
        let claims = json!({
            "iss": fake.issuer, "aud": "desktop", "sub": "alice", "roles": [],
            "iat": fake.now(), "exp": fake.now() + 300,
        });
        let id_token = sign(&json!({"alg": "EdDSA", "kid": id}), &claims);
        fake.answer(200, &fake.tokens(&json!({ "id_token": id_token })));
    };
    let requests = || fake.script.lock().unwrap().key_requests;

    signed_by("one");
    provider
        .refresh(&refresh_token(), &to, &person)
        .await
        .unwrap();
    assert_eq!(requests(), 1);

    fake.change(|script| script.keys = vec!["one", "two"]);
    signed_by("two");
    provider
        .refresh(&refresh_token(), &to, &person)
        .await
        .unwrap();
    assert_eq!(requests(), 2);

    fake.change(|script| script.keys = vec!["three"]);
    signed_by("three");
    let refused = provider
        .refresh(&refresh_token(), &to, &person)
        .await
        .unwrap_err();
    assert!(matches!(refused.reason(), ProviderError::IdToken(error) if error.is_unknown_key()));
    assert_eq!(requests(), 2);

    fake.clock.advance(Duration::from_secs(60));
    signed_by("three");
    provider
        .refresh(&refresh_token(), &to, &person)
        .await
        .unwrap();
    assert_eq!(requests(), 3);
}

#[tokio::test]
async fn two_tokens_with_the_same_new_key_share_one_request_for_it() {
    let fake = Fake::start().await;
    let provider = fake.provider(AudienceBy::None);
    authorize(&provider).await;
    fake.change(|script| script.keys = vec!["two"]);
    let claims = fake.id_token(&json!({}));
    let claims = URL_SAFE_NO_PAD.decode(claims.split('.').nth(1).unwrap());
    let claims = serde_json::from_slice(&claims.unwrap()).unwrap();
    let id_token = sign(&json!({"alg": "EdDSA", "kid": "two"}), &claims);
    let answer = fake.tokens(&json!({ "id_token": id_token }));
    fake.answer(200, &answer);
    fake.answer(200, &answer);
    let to = audience(DATABASE, &[]);
    let both = tokio::join!(
        refresh_for(&fake, &provider, &to),
        refresh_for(&fake, &provider, &to)
    );
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    assert_eq!(fake.script.lock().unwrap().key_requests, 2);
}

#[tokio::test]
async fn metadata_that_lies_is_refused() {
    let fake = Fake::start().await;
    let refused = |changes: Value| {
        let fake = fake.clone();
        async move {
            fake.change(|script| script.metadata = changes);
            let provider = fake.provider(AudienceBy::Resource);
            provider.authorize(&redirect(), &both()).await.unwrap_err()
        }
    };
    for issuer in [
        format!("{}/", fake.issuer),
        "https://evil.example".to_owned(),
    ] {
        let error = refused(json!({ "issuer": issuer })).await;
        assert!(
            matches!(error, ProviderError::Metadata(MetadataError::OtherIssuer)),
            "{error:?}"
        );
    }
    for (name, address) in [
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "file:///etc/passwd"),
        ("authorization_endpoint", "ms-msdt:/id"),
        ("authorization_endpoint", "a:$(calc)"),
        ("authorization_endpoint", "http://example.com/auth"),
        ("authorization_endpoint", "https://idp@evil.example/"),
        ("token_endpoint", "http://example.com/token"),
        ("token_endpoint", "https://user:word@example.com/token"),
        ("revocation_endpoint", "http://example.com/revoke"),
        ("jwks_uri", "http://169.254.169.254/keys"),
    ] {
        let error = refused(json!({ name: address })).await;
        assert!(
            matches!(error, ProviderError::Metadata(_)),
            "{address}: {error:?}"
        );
    }
    let error = refused(json!({"token_endpoint": null})).await;
    assert!(matches!(
        error,
        ProviderError::Metadata(MetadataError::NoTokenEndpoint)
    ));
}

#[tokio::test]
async fn pkce_must_be_advertised_unless_the_administrator_knows_better() {
    let fake = Fake::start().await;
    for methods in [json!(null), json!([]), json!(["plain"])] {
        let metadata = json!({ "code_challenge_methods_supported": methods });
        fake.change(|script| script.metadata = metadata);
        let mut identity = fake.identity(AudienceBy::Resource);
        let provider = fake.provider_of(identity.clone());
        let refused = provider.authorize(&redirect(), &both()).await.unwrap_err();
        assert!(matches!(refused, ProviderError::NoPkce));
        identity.allow_unadvertised_pkce = true;
        let pending = fake
            .provider_of(identity)
            .authorize(&redirect(), &both())
            .await;
        let asked = query(pending.unwrap().url());
        assert_eq!(values(&asked, "code_challenge_method"), ["S256"]);
    }
}

#[tokio::test]
async fn discovery_that_fails_is_tried_again_and_a_good_one_is_kept() {
    let fake = Fake::start().await;
    let provider = fake.provider(AudienceBy::Resource);
    fake.change(|script| script.discovery = Some((503, "{}".into())));
    let down = provider.authorize(&redirect(), &both()).await.unwrap_err();
    assert!(matches!(down, ProviderError::Unreachable(_)));
    fake.change(|script| script.discovery = Some((200, " ".repeat(256 * 1024 + 1))));
    let huge = provider.authorize(&redirect(), &both()).await.unwrap_err();
    assert!(matches!(
        huge,
        ProviderError::Metadata(MetadataError::Fetch(HttpError::TooLarge(_)))
    ));
    fake.change(|script| script.discovery = Some((404, "<html>".into())));
    let gone = provider.authorize(&redirect(), &both()).await.unwrap_err();
    assert!(matches!(gone, ProviderError::Metadata(_)));
    fake.change(|script| script.discovery = None);
    authorize(&provider).await;
    fake.change(|script| script.discovery = Some((503, "{}".into())));
    authorize(&provider.clone()).await;
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_silent_is_unreachable() {
    let fake = Fake::start().await;
    let mut identity = fake.identity(AudienceBy::None);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    identity.issuer = format!("http://{address}").into();
    let provider = fake.provider_of(identity);
    tokio::time::pause();
    let silent = provider.authorize(&redirect(), &[]).await.unwrap_err();
    tokio::time::resume();
    let ProviderError::Unreachable(cause) = silent else {
        panic!("{silent:?}");
    };
    assert!(matches!(cause.downcast_ref(), Some(HttpError::Silent)));
    drop(listener);
    let gone = provider.authorize(&redirect(), &[]).await.unwrap_err();
    let ProviderError::Unreachable(cause) = gone else {
        panic!("{gone:?}");
    };
    assert!(matches!(cause.downcast_ref(), Some(HttpError::Failed(_))));
}

#[tokio::test]
async fn a_redirect_is_not_followed_whatever_the_client_does() {
    let fake = Fake::start().await;
    let moved = json!({"token_endpoint": format!("{}/moved", fake.issuer)});
    fake.change(|script| script.metadata = moved);
    let strict = client(&NetworkConfig::default()).unwrap();
    let person = alice(&fake);
    let to = audience(DATABASE, &[]);
    for (http, sent) in [(strict, 0), (reqwest::Client::new(), 1)] {
        let provider = Provider::new(fake.identity(AudienceBy::None), http, fake.clock.clone());
        let refused = provider.refresh(&refresh_token(), &to, &person).await;
        assert!(matches!(
            refused,
            Err(ProviderError::Answer(AnswerError::Http(
                HttpError::Redirected
            )))
        ));
        assert_eq!(fake.script.lock().unwrap().token_requests.len(), sent);
    }
}
