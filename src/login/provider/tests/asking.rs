use super::*;

#[tokio::test]
async fn a_sign_in_asks_for_every_audience_at_once() {
    let fake = Fake::start().await;
    let pending = authorize(&fake.provider(AudienceBy::Resource)).await;
    let asked = query(pending.url());
    assert_eq!(values(&asked, "resource"), [DATABASE, DEPLOY]);
    assert_eq!(
        values(&asked, "scope"),
        ["openid profile offline_access mcp:tools:read mcp:admin"]
    );
    assert_eq!(values(&asked, "code_challenge_method"), ["S256"]);
    assert_eq!(values(&asked, "redirect_uri"), [redirect().as_str()]);
    for secret in ["state", "nonce", "code_challenge"] {
        // 256 bits in base64url.
        assert_eq!(values(&asked, secret)[0].len(), 43, "{secret}");
    }
    assert!(pending.state_is(values(&asked, "state")[0]));
    assert!(!pending.state_is(""));
    assert!(!pending.state_is(values(&asked, "nonce")[0]));
}

#[tokio::test]
async fn each_way_of_naming_audiences_names_them_in_its_own_way() {
    let fake = Fake::start().await;
    for (audience_by, parameter, asked_for, scope, refreshed) in [
        (
            AudienceBy::Resource,
            "resource",
            vec![DATABASE, DEPLOY],
            None,
            vec![DEPLOY],
        ),
        (
            AudienceBy::Audience,
            "audience",
            vec![DATABASE],
            None,
            vec![DEPLOY],
        ),
        (
            AudienceBy::Scope,
            "resource",
            vec![],
            Some(
                "openid profile offline_access \
                 https://gateway.example.test/mcp/deploy/mcp:tools:read \
                 https://gateway.example.test/mcp/deploy/mcp:admin",
            ),
            vec![],
        ),
        (AudienceBy::None, "resource", vec![], None, vec![]),
    ] {
        let provider = fake.provider(audience_by);
        let asked = query(authorize(&provider).await.url());
        assert_eq!(values(&asked, parameter), asked_for, "{audience_by:?}");
        let [_, deploy] = both();
        refresh_for(&fake, &provider, &deploy).await.unwrap();
        let sent = fake.script.lock().unwrap().token_requests.pop().unwrap();
        assert_eq!(values(&sent, parameter), refreshed, "{audience_by:?}");
        assert_eq!(values(&sent, "scope").first().copied(), scope);
        assert_eq!(values(&sent, "grant_type"), ["refresh_token"]);
        assert_eq!(values(&sent, "refresh_token"), ["refresh-one"]);
        assert_eq!(values(&sent, "client_id"), ["desktop"]);
    }
}

#[tokio::test]
async fn entra_is_asked_for_one_resource_at_a_time() {
    let fake = Fake::start().await;
    let mut identity = fake.identity(AudienceBy::Scope);
    identity.scopes = ["openid", "offline_access"].map(Into::into).into();
    let provider = fake.provider_of(identity);
    let audiences = [
        audience("api://one", &[]),
        audience("api://two", &["api://two/run"]),
    ];
    let pending = provider.authorize(&redirect(), &audiences).await.unwrap();
    let asked = query(pending.url());
    let scope = "openid offline_access api://one/.default";
    assert_eq!(values(&asked, "scope"), [scope]);
}

#[tokio::test]
async fn a_session_is_revoked_where_that_is_possible() {
    let fake = Fake::start().await;
    let provider = fake.provider(AudienceBy::Resource);
    assert!(provider.revoke(&refresh_token()).await.unwrap());
    let sent = fake.script.lock().unwrap().revocations.pop().unwrap();
    assert_eq!(values(&sent, "token"), ["refresh-one"]);
    assert_eq!(values(&sent, "token_type_hint"), ["refresh_token"]);
    assert_eq!(values(&sent, "client_id"), ["desktop"]);
    fake.change(|script| script.metadata = json!({"revocation_endpoint": null}));
    let provider = fake.provider(AudienceBy::Resource);
    assert!(!provider.revoke(&refresh_token()).await.unwrap());
}
