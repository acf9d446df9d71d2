//! Signing in, at a certified provider and at those that differ from it.

use serde_json::{Value, json};
use tokio::process::Child;
use tokio::time::timeout;
use url::Url;

use crate::company::{Company, POLICY, text};
use crate::world::browser::{self, Choice};
use crate::world::parts::Kind;
use crate::world::{PATIENCE, World};

/// The exit code and what was told.
async fn end(child: Child) -> (Option<i32>, String) {
    let output = timeout(PATIENCE, child.wait_with_output())
        .await
        .expect("an end in time");
    let output = output.expect("an exit status");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let others = url.query_pairs().filter(|(key, _)| key != name);
    let mut changed = url.clone();
    let pairs: Vec<_> = others
        .chain(value.map(|value| (name.into(), value.into())))
        .collect();
    changed.query_pairs_mut().clear().extend_pairs(pairs);
    changed
}

#[tokio::test]
async fn a_wrong_missing_or_replayed_state_signs_nobody_in_and_the_right_one_still_does() {
    let company = Company::new("").await;
    let (login, link) = company.login(&[]).await;
    let callback = browser::authorize(&link, Choice::SignIn("alice")).await;
    for forged in [
        with(&callback, "state", Some("forged")),
        with(&callback, "state", None),
    ] {
        let page = browser::call_back(forged).await;
        assert!(page.status >= 400, "{page:?}");
    }
    assert_eq!(company.provider.count("code").await, 0);
    let page = browser::call_back(callback.clone()).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(end(login).await.0, Some(0));
    // One shot: nobody listens any more.
    let replayed = crate::world::parts::http().get(callback).send().await;
    assert!(replayed.is_err(), "{replayed:?}");
    assert_eq!(company.provider.count("code").await, 1);
}

#[tokio::test]
async fn a_declined_sign_in_says_so_and_leaves_nothing() {
    let company = Company::new("").await;
    let (login, link) = company.login(&[]).await;
    let page = browser::call_back(browser::authorize(&link, Choice::Abort).await).await;
    assert_eq!(page.url.path(), "/failed", "{page:?}");
    let (code, told) = end(login).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("declined"), "{told}");
    assert_eq!(company.world.run(&["whoami"]).await.status.code(), Some(4));
}

#[tokio::test]
async fn nobody_signing_in_in_time_is_told() {
    let company = Company::new("").await;
    let (login, _link) = company.login(&["--timeout", "1"]).await;
    let (code, told) = end(login).await;
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("within 1 seconds"), "{told}");
}

#[tokio::test]
async fn a_rotated_signing_key_is_fetched_in_the_middle_of_a_session() {
    let company = Company::signed_in("bob").await;
    let mut host = company.host().await;
    host.call("everything__echo", json!({"message": "x"})).await;
    let before = company.provider.count("jwks").await;
    company
        .provider
        .control("rotate-keys", json!({"drop": true}))
        .await;
    company.world.forget_tokens();
    let mut second = company.host().await;
    let done = second
        .call("deploy__deploy_staging", json!({"version": "3"}))
        .await;
    assert_eq!(text(&done), "3 is on staging", "{done}");
    assert!(company.provider.count("jwks").await > before);
    second.close().await;
    host.close().await;
}

#[tokio::test]
async fn a_person_who_is_disabled_loses_the_session_at_the_next_refresh() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    host.call("database__list_tables", json!({})).await;
    company
        .provider
        .control("user", json!({"id": "alice", "disabled": true}))
        .await;
    company.provider.control("revoke-all", json!({})).await;
    company.world.forget_tokens();
    let mut second = company.host().await;
    let refused = second.call("database__list_tables", json!({})).await;
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(text(&refused).contains("Sign-in needed"), "{refused}");
    second.close().await;
    host.close().await;
}

#[tokio::test]
async fn a_server_that_was_configured_after_the_sign_in_wants_another_and_costs_nothing_else() {
    let company = Company::signed_in("alice").await;
    let later = format!("{}?later", company.database.url);
    company.provider.add_resource(&later).await;
    let config = std::fs::read_to_string(company.world.config_file()).expect("a configuration");
    let table = format!("[[server]]\nname = \"later\"\nurl = \"{later}\"\n");
    company.world.write_configuration(&(config + &table));
    let open = POLICY.replace("[\"everything\"]", "[\"everything\", \"later\"]");
    company.world.write_policy(&open);
    let mut host = company.host().await;
    let refused = host.call("later__list_tables", json!({})).await;
    assert!(text(&refused).contains("chaperone login"), "{refused}");
    let done = host.call("database__list_tables", json!({})).await;
    assert_ne!(done["isError"], true, "{done}");
    company.sign_in("alice").await;
    let done = host.call("everything__echo", json!({"message": "x"})).await;
    assert_ne!(done["isError"], true, "{done}");
    host.close().await;
}

#[tokio::test]
async fn chromium_signs_in_through_the_program() {
    let company = Company::new("").await;
    let (login, link) = company.login(&[]).await;
    let seen = company.world.chromium(&link, "alice").await;
    let address = seen["url"].as_str().expect("an address");
    assert!(
        address.starts_with("http://127.0.0.1:") && !address.contains("code="),
        "{seen}"
    );
    assert!(
        seen["text"]
            .as_str()
            .is_some_and(|text| text.contains("signed in")),
        "{seen}"
    );
    assert_eq!(end(login).await.0, Some(0));
}

/// The provider's style, and the ways of `audience_by` that work with it.
#[tokio::test]
async fn one_sign_in_covers_all_servers_in_each_way_of_naming_an_audience() {
    for (style, audience_by) in [
        (json!({"resource": "many"}), "resource"),
        (json!({"resource": "single"}), "resource"),
        (json!({"audience": "scope"}), "scope"),
        (json!({"audience": "audience"}), "audience"),
    ] {
        let mut world = World::new();
        world.keychain().await;
        let provider = world.provider(style.clone()).await;
        let database = world.server(Kind::Database, &provider).await;
        let deploy = world.server(Kind::Deploy, &provider).await;
        world.configure(&provider, &[&database, &deploy], "");
        world.set_identity(&format!("audience_by = \"{audience_by}\""));
        world.write_policy(&POLICY.replace("\"data-analyst\", \"admin\"", "\"nobody\""));
        let (page, output) = world.sign_in("bob").await;
        assert_eq!(
            output.status.code(),
            Some(0),
            "{style}: {page:?} {output:?}"
        );
        let mut host = world.host();
        host.initialize("2025-06-18").await;
        let done = host
            .call("deploy__deploy_staging", json!({"version": "2"}))
            .await;
        assert_eq!(text(&done), "2 is on staging", "{style}");
        host.close().await;
        world.set_identity("");
    }
}

#[tokio::test]
async fn a_provider_without_audiences_gives_one_token_for_all() {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({"resource": "none"})).await;
    let everything = world.server(Kind::Everything, &provider).await;
    world.configure(&provider, &[&everything], "");
    world.set_identity("audience_by = \"none\"");
    world.write_policy(POLICY);
    let (page, output) = world.sign_in("alice").await;
    assert_eq!(output.status.code(), Some(0), "{page:?} {output:?}");
    let mut host = world.host();
    host.initialize("2025-11-25").await;
    let echo = host
        .call("everything__echo", json!({"message": "one for all"}))
        .await;
    assert!(text(&echo).contains("one for all"), "{echo}");
    host.close().await;
}

#[tokio::test]
async fn roles_that_cannot_be_read_are_a_refusal_that_explains_itself() {
    for (roles, word) in [
        ("missing", "role"),
        ("wrong-type", "role"),
        ("overage", "group"),
    ] {
        let company = Company::new("").await;
        company
            .provider
            .control("style", json!({"roles": roles}))
            .await;
        let (login, link) = company.login(&[]).await;
        let _page = browser::sign_in(&link, "alice").await;
        let (code, told) = end(login).await;
        assert_eq!(code, Some(1), "{roles}: {told}");
        assert!(told.contains(word), "{roles}: {told}");
        assert_eq!(
            company.world.run(&["whoami"]).await.status.code(),
            Some(4),
            "{roles}"
        );
    }
}

#[tokio::test]
async fn a_provider_without_pkce_or_with_a_foreign_iss_is_refused() {
    let company = Company::new("").await;
    company
        .provider
        .control("style", json!({"pkce": false}))
        .await;
    let output = company.world.run(&["login", "--no-browser"]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        output.stdout.is_empty() && told.contains("allow_unadvertised_pkce"),
        "{told}"
    );
    let style = json!({"pkce": true, "iss": "https://evil.example.test"});
    company.provider.control("style", style).await;
    let (login, link) = company.login(&[]).await;
    let page = browser::sign_in(&link, "alice").await;
    assert_eq!(page.url.path(), "/failed", "{page:?}");
    let (code, told) = end(login).await;
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(company.provider.count("code").await, 0);
}

#[tokio::test]
async fn without_a_keychain_login_refuses_and_a_host_signs_in_for_itself() {
    let mut world = World::new();
    let provider = world.provider(json!({})).await;
    let database = world.server(Kind::Database, &provider).await;
    world.configure(&provider, &[&database], "");
    world.write_policy(POLICY);
    let output = world.run(&["login", "--no-browser"]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        output.stdout.is_empty() && told.contains("keychain"),
        "{told}"
    );

    let mut host = world.host();
    host.initialize("2025-06-18").await;
    let asked = host.call("chaperone__sign_in", json!({})).await;
    let link = text(&asked)
        .split_whitespace()
        .find(|word| word.starts_with("http"));
    let page = browser::sign_in(link.expect("a link"), "alice").await;
    assert_eq!(page.status, 200, "{page:?}");
    host.method("notifications/tools/list_changed").await;
    let tables = host.call("database__list_tables", json!({})).await;
    assert_ne!(tables["isError"], true, "{tables}");
    let status = host.call("chaperone__status", json!({})).await;
    assert!(text(&status).contains("memory of this process"), "{status}");
    // It can be ended from outside, though only that process has it.
    let calls = database.calls().await.len();
    let output = world.run(&["logout"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let refused = host.call("database__list_tables", json!({})).await;
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(text(&refused).contains("Sign-in needed"), "{refused}");
    assert_eq!(database.calls().await.len(), calls);
    host.close().await;
    // Nothing of it is left for the next one.
    assert_eq!(world.run(&["whoami"]).await.status.code(), Some(4));
    let left = std::fs::read_dir(world.data_dir()).expect("data").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(!left.contains(&"tokens.sealed".into()), "{left:?}");
}

#[tokio::test]
async fn a_changed_role_changes_lists_and_calls_together() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    assert!(
        host.tools()
            .await
            .contains(&"database__list_tables".to_owned())
    );
    let roles: Value = json!({"id": "alice", "roles": ["admin"]});
    company.provider.control("user", roles).await;
    company.sign_in("alice").await;
    // Whoever is told reads the list again; a call finds the same.
    let refused = host.call("database__list_tables", json!({})).await;
    assert_eq!(refused["isError"], true, "{refused}");
    let tools = host.tools().await;
    assert!(
        !tools.contains(&"database__list_tables".to_owned()),
        "{tools:?}"
    );
    assert!(
        tools.contains(&"deploy__deploy_staging".to_owned()),
        "{tools:?}"
    );
    host.close().await;
}
