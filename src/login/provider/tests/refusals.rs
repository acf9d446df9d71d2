use super::*;

#[tokio::test]
async fn a_callback_of_another_sign_in_or_issuer_is_refused_and_not_shown() {
    let fake = Fake::start().await;
    let (upper, slash) = (fake.issuer.to_uppercase(), format!("{}/", fake.issuer));
    let (ours, good) = (None, Some(fake.issuer.as_str()));
    for (state, iss, expected) in [
        (Some("theirs"), good, CallbackError::State),
        (Some(""), good, CallbackError::State),
        (
            ours,
            Some("https://evil.example"),
            CallbackError::OtherIssuer,
        ),
        (ours, Some(upper.as_str()), CallbackError::OtherIssuer),
        (ours, Some(slash.as_str()), CallbackError::OtherIssuer),
        (ours, Some(""), CallbackError::OtherIssuer),
        (ours, None, CallbackError::NoIssuer),
    ] {
        for error in [None, Some("evil text")] {
            let provider = fake.provider(AudienceBy::Resource);
            let pending = authorize(&provider).await;
            let mut callback = callback(&fake, &pending);
            callback.error = error.map(str::to_owned);
            callback.iss = iss.map(str::to_owned);
            if let Some(state) = state {
                callback.state = Some(state.to_owned());
            }
            let refused = provider.exchange(pending, callback).await.unwrap_err();
            assert!(!refused.to_string().contains("evil"), "{refused}");
            let ProviderError::Callback(found) = refused else {
                panic!("{expected}: {refused:?}");
            };
            assert_eq!(found, expected);
        }
    }
    assert!(fake.script.lock().unwrap().token_requests.is_empty());
}

#[tokio::test]
async fn iss_may_be_absent_where_it_is_not_promised() {
    let fake = Fake::start().await;
    let silent = json!({"authorization_response_iss_parameter_supported": null});
    fake.change(|script| script.metadata = silent);
    let provider = fake.provider(AudienceBy::Resource);
    let pending = authorize(&provider).await;
    let mut callback = callback(&fake, &pending);
    callback.iss = None;
    let nonce = values(&query(pending.url()), "nonce")[0].to_owned();
    let id_token = fake.id_token(&json!({ "nonce": nonce }));
    fake.answer(200, &fake.tokens(&json!({ "id_token": id_token })));
    provider.exchange(pending, callback).await.unwrap();
}

/// What becomes of a callback with an error and without a code.
async fn refused_callback(fake: &Fake, error: Option<&str>) -> ProviderError {
    let provider = fake.provider(AudienceBy::Resource);
    let pending = authorize(&provider).await;
    let mut callback = callback(fake, &pending);
    callback.code = None;
    callback.error = error.map(str::to_owned);
    provider.exchange(pending, callback).await.unwrap_err()
}

#[tokio::test]
async fn errors_of_the_callback_are_told_apart() {
    let fake = Fake::start().await;
    let aborted = refused_callback(&fake, Some("access_denied")).await;
    assert!(matches!(aborted, ProviderError::Aborted));
    let refused = refused_callback(&fake, Some("invalid_target")).await;
    assert!(matches!(refused, ProviderError::Refused(said) if said.contains("audience_by")));
    let empty = refused_callback(&fake, None).await;
    assert!(matches!(
        empty,
        ProviderError::Callback(CallbackError::NoCode)
    ));
}

#[tokio::test]
async fn errors_of_the_token_endpoint_are_told_apart() {
    let fake = Fake::start().await;
    for (status, body, expected) in [
        (400, json!({"error": "invalid_grant"}), "InvalidGrant"),
        (400, json!({"error": "invalid_target"}), "Refused("),
        (400, json!({"error": "invalid_scope"}), "Refused("),
        (400, json!({"error": "unauthorized_client"}), "Refused("),
        (401, json!({"error": "invalid_client"}), "Refused("),
        (
            400,
            json!({"error": "temporarily_unavailable"}),
            "Unreachable(",
        ),
        (500, json!({"error": "invalid_grant"}), "Unreachable("),
        (503, json!({}), "Unreachable("),
        (429, json!({}), "Unreachable("),
        (302, json!({}), "Answer(Http(Redirected"),
        (404, json!({}), "Answer(Malformed"),
    ] {
        fake.answer(status, &body);
        let error = refresh(&fake, AudienceBy::Resource).await.unwrap_err();
        let found = format!("{error:?}");
        assert!(found.starts_with(expected), "{status} {body}: {found}");
    }
}

#[tokio::test]
async fn a_code_that_is_spent_does_not_end_a_session() {
    let fake = Fake::start().await;
    let provider = fake.provider(AudienceBy::Resource);
    let pending = authorize(&provider).await;
    fake.answer(400, &json!({"error": "invalid_grant"}));
    let callback = callback(&fake, &pending);
    let error = provider.exchange(pending, callback).await.unwrap_err();
    assert!(matches!(error, ProviderError::Refused(_)));
}

#[tokio::test]
async fn a_provider_that_does_not_know_resource_is_explained() {
    let fake = Fake::start().await;
    for (description, advice) in [
        (
            "AADSTS901002: The 'resource' request parameter is not supported.",
            "\"scope\"",
        ),
        ("unknown parameter", "\"none\""),
    ] {
        let error = json!({"error": "invalid_request", "error_description": description});
        fake.answer(400, &error);
        let refused = refresh(&fake, AudienceBy::Resource).await.unwrap_err();
        let ProviderError::Refused(sentence) = refused else {
            panic!("{refused:?}");
        };
        assert!(
            sentence.contains(description) && sentence.contains(advice),
            "{sentence}"
        );
    }
}

#[tokio::test]
async fn nothing_secret_is_in_an_error() {
    let fake = Fake::start().await;
    let said =
        json!({"error": "invalid_request", "error_description": "no refresh-one here\u{1b}[31m"});
    fake.answer(400, &said);
    let quoted = json!({"access_token": {"canary-access": 1}, "token_type": "Bearer"});
    fake.answer(200, &quoted);
    let mistyped = fake.tokens(&json!({"expires_in": "canary-expiry"}));
    fake.answer(200, &mistyped);
    fake.answer(200, &fake.tokens(&json!({"id_token": "canary.id.token"})));
    for _ in 0..4 {
        let error = refresh(&fake, AudienceBy::None).await.unwrap_err();
        let first: &dyn std::error::Error = &error;
        let chain = std::iter::successors(Some(first), |error| error.source());
        let shown: Vec<_> = chain.map(|error| format!("{error} {error:?}")).collect();
        let shown = shown.join(" ");
        for secret in [
            "refresh-one",
            "refresh-two",
            "canary",
            "opaque-access",
            "\u{1b}",
        ] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
