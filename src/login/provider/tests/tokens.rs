use super::*;

/// Exchanges the code; the ID token of the answer is a good one with `changes`.
async fn exchange(fake: &Fake, changes: Value) -> Result<Tokens, ProviderError> {
    exchange_header(fake, &json!({"alg": "EdDSA", "kid": "one"}), changes).await
}

async fn exchange_header(
    fake: &Fake,
    header: &Value,
    mut changes: Value,
) -> Result<Tokens, ProviderError> {
    let provider = fake.provider(AudienceBy::Resource);
    let pending = authorize(&provider).await;
    if changes.get("nonce").is_none() {
        changes["nonce"] = values(&query(pending.url()), "nonce")[0].into();
    }
    let claims = fake.id_token(&changes);
    let claims = claims.split('.').nth(1).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(claims);
    let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    let id_token = sign(header, &claims);
    fake.answer(200, &fake.tokens(&json!({ "id_token": id_token })));
    let callback = callback(fake, &pending);
    provider.exchange(pending, callback).await
}

#[tokio::test]
async fn a_code_becomes_verified_tokens() {
    let fake = Fake::start().await;
    let tokens = exchange(&fake, json!({})).await.unwrap();
    let claims = tokens.claims.unwrap();
    assert_eq!(claims.identity, alice(&fake));
    assert!(claims.roles.has("developer"));
    assert_eq!(tokens.access.expose(), "opaque-access");
    assert_eq!(tokens.refresh.unwrap().0.as_str(), "refresh-two");
    assert!(tokens.scopes.has("mcp:tools:read") && !tokens.scopes.has("profile"));
    assert_eq!(tokens.expires.seconds(), fake.now() + 300);
    let sent = fake.script.lock().unwrap().token_requests.pop().unwrap();
    assert_eq!(values(&sent, "resource"), [DATABASE]);
    assert_eq!(values(&sent, "code"), ["code-one"]);
    assert_eq!(values(&sent, "code_verifier")[0].len(), 43);
    assert_eq!(values(&sent, "redirect_uri"), [redirect().as_str()]);
}

#[tokio::test]
async fn a_bad_id_token_is_refused() {
    let fake = Fake::start().await;
    for (changes, expected) in [
        (json!({"aud": "another"}), "Rejected(InvalidAudience("),
        (json!({"aud": []}), "Rejected(InvalidAudience("),
        (json!({"aud": ["desktop", "another"]}), "OtherClient"),
        (json!({"azp": "another"}), "OtherClient"),
        (
            json!({"iss": "https://evil.example"}),
            "Rejected(InvalidIssuer(",
        ),
        (
            json!({"iss": format!("{}/", fake.issuer)}),
            "Rejected(InvalidIssuer(",
        ),
        (json!({"nonce": "another"}), "Rejected(InvalidNonce("),
        (json!({"nonce": null}), "Rejected(InvalidNonce("),
        (json!({"exp": fake.now()}), "Expired"),
        (json!({"exp": 1}), "Expired"),
        (json!({"exp": null}), "Malformed"),
        (json!({"sub": null}), "Malformed"),
        (
            json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
            "OtherAccessToken",
        ),
    ] {
        check_id_token_error(exchange(&fake, changes).await, expected);
    }
    let shared = json!({"aud": ["desktop", "another"], "azp": "desktop"});
    exchange(&fake, shared).await.unwrap();
}

#[track_caller]
fn check_id_token_error(result: Result<Tokens, ProviderError>, expected: &str) {
    let error = result.unwrap_err();
    let ProviderError::IdToken(found) = error.reason() else {
        panic!("{expected}: {error:?}");
    };
    let found = format!("{found:?}");
    assert!(found.starts_with(expected), "{expected}: {found}");
}

#[tokio::test]
async fn an_algorithm_without_the_providers_key_is_refused() {
    let fake = Fake::start().await;
    for (header, expected) in [
        (
            json!({"alg": "none"}),
            "Rejected(SignatureVerification(NoSignature",
        ),
        (json!({"alg": "None"}), "Malformed"),
        (
            json!({"alg": "HS256", "kid": "one"}),
            "Rejected(SignatureVerification(DisallowedAlg",
        ),
        (
            json!({"alg": "RS256", "kid": "one"}),
            "Rejected(SignatureVerification(NoMatchingKey",
        ),
        (
            json!({"alg": "EdDSA", "kid": "two"}),
            "Rejected(SignatureVerification(NoMatchingKey",
        ),
        (
            json!({"alg": "EdDSA", "kid": "one", "crit": ["exp"]}),
            "Rejected(Unsupported(",
        ),
        (
            json!({"alg": "EdDSA", "kid": "one", "typ": "at+jwt"}),
            "Rejected(Unsupported(",
        ),
    ] {
        check_id_token_error(exchange_header(&fake, &header, json!({})).await, expected);
    }
}

#[tokio::test]
async fn a_signature_of_another_key_is_refused() {
    let fake = Fake::start().await;
    let good = fake.id_token(&json!({}));
    let other = fake.id_token(&json!({"roles": ["admin"]}));
    let (input, _) = other.rsplit_once('.').unwrap();
    let (_, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{input}.{signature}");
    fake.answer(200, &fake.tokens(&json!({ "id_token": forged })));
    let refused = refresh(&fake, AudienceBy::None).await.unwrap_err();
    assert!(matches!(
        refused.reason(),
        ProviderError::IdToken(IdTokenError::Rejected(_))
    ));
}

#[tokio::test]
async fn a_sign_in_without_id_token_is_refused_and_a_refresh_is_not() {
    let fake = Fake::start().await;
    let provider = fake.provider(AudienceBy::Resource);
    let pending = authorize(&provider).await;
    fake.answer(200, &fake.tokens(&json!({"id_token": null})));
    let callback = callback(&fake, &pending);
    let refused = provider.exchange(pending, callback).await.unwrap_err();
    assert!(matches!(
        refused.reason(),
        ProviderError::IdToken(IdTokenError::Missing)
    ));
    fake.answer(200, &fake.tokens(&json!({"id_token": null})));
    let tokens = refresh(&fake, AudienceBy::Resource).await.unwrap();
    assert!(tokens.claims.is_none());
}

#[tokio::test]
async fn a_bad_token_response_is_refused() {
    let fake = Fake::start().await;
    for changes in [
        json!({"token_type": "mac"}),
        json!({"token_type": null}),
        json!({"expires_in": -1}),
        json!({"expires_in": 0}),
        json!({"expires_in": 30 * 24 * 3600 + 1}),
        json!({"expires_in": 1_000_000_000_000_000_000_u64}),
        json!({"access_token": null}),
        json!({"access_token": ""}),
        json!({"access_token": "a\r\nX: y"}),
        json!({"access_token": "a".repeat(64 * 1024 + 1)}),
        json!({"refresh_token": "a".repeat(64 * 1024 + 1)}),
        json!({"access_token": "a".repeat(256 * 1024)}),
    ] {
        fake.answer(200, &fake.tokens(&changes));
        let refused = refresh(&fake, AudienceBy::None).await.unwrap_err();
        let reason = refused.reason();
        assert!(matches!(reason, ProviderError::Answer(_)), "{reason:?}");
    }
    for body in ["", "null", "[]", "<html>", "{\"access_token\":"] {
        fake.change(|script| script.answers.push_back((200, body.to_owned())));
        let refused = refresh(&fake, AudienceBy::None).await.unwrap_err();
        assert!(matches!(refused, ProviderError::Answer(_)), "{body}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_say_grants_what_was_asked_for_a_short_time() {
    let fake = Fake::start().await;
    fake.answer(
        200,
        &fake.tokens(&json!({"scope": null, "expires_in": null})),
    );
    let [_, deploy] = both();
    let provider = fake.provider(AudienceBy::Resource);
    let tokens = refresh_for(&fake, &provider, &deploy).await.unwrap();
    assert!(tokens.scopes.has("mcp:tools:read") && tokens.scopes.has("mcp:admin"));
    assert_eq!(tokens.expires.seconds(), fake.now() + 300);
}

#[tokio::test]
async fn the_rotated_refresh_token_survives_an_answer_that_is_refused() {
    let fake = Fake::start().await;
    for id_token in [
        fake.id_token(&json!({"roles": null})),
        fake.id_token(&json!({"roles": "admin"})),
        fake.id_token(&json!({"sub": "bob"})),
        fake.id_token(&json!({"exp": 1})),
    ] {
        fake.answer(200, &fake.tokens(&json!({ "id_token": id_token })));
        let refused = refresh(&fake, AudienceBy::None).await.unwrap_err();
        let ProviderError::Unacceptable { rotated, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(rotated.0.as_str(), "refresh-two");
    }
}

#[tokio::test]
async fn another_person_is_refused() {
    let fake = Fake::start().await;
    let bob = fake.id_token(&json!({"sub": "bob"}));
    fake.answer(
        200,
        &fake.tokens(&json!({ "id_token": bob, "refresh_token": null })),
    );
    let refused = refresh(&fake, AudienceBy::None).await.unwrap_err();
    assert!(matches!(refused, ProviderError::OtherPerson));
}

/// Refreshes with an ID token (or none) and a JWT access token; the claims of both are changes to
/// good ones.
async fn claims_of(
    fake: &Fake,
    id_token: Option<Value>,
    access_token: Value,
) -> Result<Option<Claims>, ProviderError> {
    let access = |changes: Value| {
        let mut claims = json!({
            "iss": fake.issuer, "aud": DATABASE, "sub": "alice",
            "iat": fake.now(), "exp": fake.now() + 300,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        sign(
            &json!({"alg": "EdDSA", "kid": "one", "typ": "at+jwt"}),
            &claims,
        )
    };
    let id_token = id_token.map(|changes| fake.id_token(&changes));
    let answer = json!({"id_token": id_token, "access_token": access(access_token)});
    fake.answer(200, &fake.tokens(&answer));
    let tokens = refresh(fake, AudienceBy::Resource).await;
    tokens.map(|tokens| tokens.claims)
}

#[tokio::test]
async fn roles_come_from_the_newest_token_that_verifies() {
    let fake = Fake::start().await;
    let (now, before) = (fake.now(), fake.now() - 100);
    let roles = |found: Result<Option<Claims>, ProviderError>| {
        let claims = found.unwrap().unwrap();
        claims.roles.iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let admin = json!({"roles": ["admin"]});
    let old_admin = json!({"roles": ["admin"], "iat": before});

    let same_age = claims_of(&fake, Some(json!({})), admin.clone()).await;
    assert_eq!(roles(same_age), ["developer"]);
    let access_is_newer = claims_of(&fake, Some(json!({"iat": before})), admin.clone()).await;
    assert_eq!(roles(access_is_newer), ["admin"]);
    let access_is_older = claims_of(&fake, Some(json!({})), old_admin).await;
    assert_eq!(roles(access_is_older), ["developer"]);
    let in_access_alone = claims_of(&fake, Some(json!({"roles": null})), admin.clone()).await;
    assert_eq!(roles(in_access_alone), ["admin"]);
    assert_eq!(
        roles(claims_of(&fake, None, admin.clone()).await),
        ["admin"]
    );

    let for_another = json!({"roles": ["admin"], "aud": DEPLOY, "iat": now + 60});
    let ignored = claims_of(&fake, Some(json!({})), for_another.clone()).await;
    assert_eq!(roles(ignored), ["developer"]);
    let of_another = json!({"roles": ["admin"], "sub": "bob", "iat": now + 60});
    let ignored = claims_of(&fake, Some(json!({})), of_another.clone()).await;
    assert_eq!(roles(ignored), ["developer"]);
    assert!(claims_of(&fake, None, for_another).await.unwrap().is_none());
    let other_person = claims_of(&fake, None, of_another).await.unwrap_err();
    assert!(matches!(other_person.reason(), ProviderError::OtherPerson));
}

#[tokio::test]
async fn roles_that_were_taken_away_are_not_read_from_an_older_token() {
    let fake = Fake::start().await;
    let old = json!({"iat": fake.now() - 100, "roles": ["admin"]});
    let refused = claims_of(&fake, Some(old), json!({})).await.unwrap_err();
    assert!(matches!(
        refused.reason(),
        ProviderError::Claims(ClaimsError::Missing(_))
    ));
}

#[tokio::test]
async fn nothing_shows_a_secret_in_debug() {
    let fake = Fake::start().await;
    let provider = fake.provider(AudienceBy::Resource);
    let pending = authorize(&provider).await;
    let callback = callback(&fake, &pending);
    let state = values(&query(pending.url()), "state")[0].to_owned();
    let tokens = exchange(&fake, json!({})).await.unwrap();
    let shown = format!("{provider:?} {pending:?} {callback:?} {tokens:?}");
    for secret in [state.as_str(), "code-one", "opaque-access", "refresh-two"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
