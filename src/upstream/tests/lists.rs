use super::fake::*;
use crate::upstream::{BadList, Listing, UpstreamError};

/// A server whose tools come in pages: `next` turns a cursor into items and the next cursor.
async fn paged(
    next: impl Fn(Option<usize>) -> (String, Option<usize>) + Send + Sync + 'static,
) -> Fake {
    Fake::start(move |seen| {
        (seen.method() == "tools/list").then(|| {
            let cursor = seen.body.split("\"cursor\":\"c\\\"").nth(1);
            let cursor = cursor.map(|rest| rest.split('"').next().unwrap().parse().unwrap());
            let (items, next) = next(cursor);
            let next = next.map_or_else(String::new, |n| format!(r#","nextCursor":"c\"{n}""#));
            result(seen, &format!(r#"{{"tools":[{items}]{next}}}"#))
        })
    })
    .await
}

#[tokio::test]
async fn all_pages_are_read_as_they_came() {
    let fake = paged(|cursor| match cursor {
        None => (r#"{"name":"a","x":1e400}"#.into(), Some(1)),
        Some(1) => (r#"{"name":"b"},{"name":"c" }"#.into(), Some(2)),
        Some(_) => (String::new(), None),
    })
    .await;
    let list = World::of(&fake)
        .upstream
        .list(Listing::Tools)
        .await
        .unwrap();
    assert_eq!(
        raws(&list),
        [
            r#"{"name":"a","x":1e400}"#,
            r#"{"name":"b"}"#,
            r#"{"name":"c" }"#
        ]
    );
    let seen = fake.of("tools/list");
    assert!(
        seen.iter()
            .all(|seen| seen.header("x-request-id").is_some())
    );
}

#[tokio::test]
async fn a_list_without_end_ends() {
    let circle = paged(|_| ("{}".into(), Some(1))).await;
    let error = World::of(&circle)
        .upstream
        .list(Listing::Tools)
        .await
        .unwrap_err();
    assert!(
        matches!(error, UpstreamError::BadList(BadList::Loop)),
        "{error}"
    );

    let pages = paged(|cursor| (String::new(), Some(cursor.unwrap_or(0) + 1))).await;
    let error = World::of(&pages)
        .upstream
        .list(Listing::Tools)
        .await
        .unwrap_err();
    assert!(
        matches!(error, UpstreamError::BadList(BadList::Pages(100))),
        "{error}"
    );

    let items = paged(|cursor| (vec!["{}"; 300].join(","), Some(cursor.unwrap_or(0) + 1))).await;
    let error = World::of(&items)
        .upstream
        .list(Listing::Tools)
        .await
        .unwrap_err();
    assert!(
        matches!(error, UpstreamError::BadList(BadList::Items(2000))),
        "{error}"
    );
}

#[tokio::test]
async fn what_pads_the_pages_of_a_list_counts_with_it() {
    let padding = "x".repeat(6 << 20);
    let page = move |cursor: Option<usize>| {
        let items = format!(r#"{{}}],"padding":["{padding}""#);
        (items, Some(cursor.unwrap_or(0) + 1))
    };
    let fake = paged(page).await;
    let error = World::of(&fake)
        .upstream
        .list(Listing::Tools)
        .await
        .unwrap_err();
    assert!(matches!(error, UpstreamError::TooLarge), "{error}");
    assert_eq!(fake.of("tools/list").len(), 3);
}

#[tokio::test]
async fn a_page_of_a_hundred_thousand_items_is_too_long() {
    let fake = paged(|_| (vec!["{}"; 100_000].join(","), None)).await;
    let error = World::of(&fake)
        .upstream
        .list(Listing::Tools)
        .await
        .unwrap_err();
    assert!(
        matches!(error, UpstreamError::BadList(BadList::Items(2000))),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_server_does_not_have_is_an_empty_list() {
    let fake = Fake::start(|seen| match seen.method().as_str() {
        "initialize" => Some(result(
            seen,
            r#"{"protocolVersion":"2024-11-05","capabilities":{"resources":{}},"serverInfo":{}}"#,
        )),
        "resources/templates/list" => {
            let id = seen.id();
            let error = r#"{"code":-32601,"message":"no templates"}"#;
            Some(json(
                "200 OK",
                &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
            ))
        }
        "resources/list" => Some(result(
            seen,
            r#"{"resources":[{"uri":"a:b"}],"nextCursor":null}"#,
        )),
        _ => None,
    })
    .await;
    let upstream = World::of(&fake).upstream;
    for what in [Listing::Tools, Listing::Prompts, Listing::Templates] {
        assert!(upstream.list(what).await.unwrap().is_empty(), "{what:?}");
    }
    assert_eq!(
        raws(&upstream.list(Listing::Resources).await.unwrap()),
        [r#"{"uri":"a:b"}"#]
    );
    assert!(fake.of("tools/list").is_empty());
    assert_eq!(
        upstream.capabilities().unwrap().get(),
        r#"{"resources":{}}"#
    );
}

#[tokio::test]
async fn a_list_that_is_refused_says_why() {
    let fake = Fake::start(|seen| {
        (seen.method() == "tools/list").then(|| {
            let id = seen.id();
            let error = r#"{"code":-32603,"message":"the\u001bdatabase is down"}"#;
            json(
                "200 OK",
                &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
            )
        })
    })
    .await;
    let error = World::of(&fake)
        .upstream
        .list(Listing::Tools)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server answered with error -32603 (thedatabase is down)"
    );
}

#[tokio::test]
async fn a_list_ends_with_its_own_deadline() {
    let fake = Fake::start(|seen| (seen.method() == "tools/list").then(|| held(Vec::new()))).await;
    let mut config = config(fake.address);
    config.list_timeout = std::time::Duration::from_millis(300);
    let error = World::with(config, [])
        .upstream
        .list(Listing::Tools)
        .await
        .unwrap_err();
    assert!(matches!(error, UpstreamError::Silent(_)), "{error}");
}
