use super::*;

fn raw(text: &str) -> Raw {
    Raw::parse(text).unwrap()
}

fn server(text: &str) -> ServerName {
    ServerName::parse(text).unwrap()
}

fn lists(tools: &[&str], resources: &[&str]) -> RawLists {
    RawLists {
        tools: tools.iter().map(|text| raw(text)).collect(),
        resources: resources.iter().map(|text| raw(text)).collect(),
        ..RawLists::default()
    }
}

#[test]
fn definitions_keep_every_byte_but_the_name() {
    let mut catalog = Catalog::new([server("db")], 48);
    let text = r#"{"name":"query","inputSchema":{"type":"object","x-odd":1e400},"execution":{"taskSupport":"optional"}}"#;
    catalog.set(&server("db"), &lists(&[text], &[]));
    let (owner, tool) = catalog.tool("db__query").unwrap();
    assert_eq!(owner.as_str(), "db");
    assert_eq!(
        tool.definition.get(),
        text.replace("\"query\"", "\"db__query\"")
    );
}

#[test]
fn a_bad_definition_costs_itself_alone() {
    let mut catalog = Catalog::new([server("db")], 48);
    let bad = [
        "{\"name\":\"\"}",
        "{\"name\":\"a\\u202eb\"}",
        "{\"title\":\"x\"}",
        "7",
        "{\"name\":1}",
        "{\"name\":\"a\",\"Name\":\"b\"}",
    ];
    let all: Vec<&str> = bad.into_iter().chain(["{\"name\":\"good\"}"]).collect();
    catalog.set(&server("db"), &lists(&all, &[]));
    let (_, found) = catalog.servers().next().unwrap();
    let found = found.unwrap();
    assert_eq!(found.tools.len(), 1);
    assert_eq!(found.dropped.len(), bad.len());
    assert!(
        found
            .dropped
            .iter()
            .all(|one| !one.name.contains('\u{202e}'))
    );
}

#[test]
fn definitions_without_measure_cost_themselves_alone() {
    let mut catalog = Catalog::new([server("db")], 48);
    let long = |bytes| "x".repeat(bytes);
    let tools = [
        format!(r#"{{"name":"a","description":"{}"}}"#, long(17 << 10)),
        format!(
            r#"{{"name":"b","inputSchema":{{"title":"{}"}}}}"#,
            long(257 << 10)
        ),
        format!(r#"{{"name":"c","description":"{}"}}"#, long(15 << 10)),
    ];
    let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
    catalog.set(&server("db"), &lists(&tools, &[]));
    let (_, found) = catalog.known().next().unwrap();
    let names: Vec<_> = found.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["c"]);
    let dropped: Vec<_> = found
        .dropped
        .iter()
        .map(|one| (&*one.name, &*one.reason))
        .collect();
    assert_eq!(
        dropped,
        [
            ("a", "its description is longer than 16384 bytes"),
            ("b", "its definition is longer than 262144 bytes"),
        ]
    );
}

#[test]
fn uris_without_measure_cost_themselves_alone() {
    let mut catalog = Catalog::new([server("db")], 48);
    let placed = |key: &str, uri: &str| raw(&format!(r#"{{"{key}":"{uri}","name":"x"}}"#));
    let long = format!("a:{}", "x".repeat(8 << 10));
    let given = RawLists {
        resources: vec![placed("uri", &long), placed("uri", "a:{{{{{{{{{{{{{{{{{{")],
        templates: vec![
            placed("uriTemplate", &"{a}".repeat(17)),
            placed("uriTemplate", &"{a}".repeat(16)),
            placed("uriTemplate", &long),
        ],
        ..RawLists::default()
    };
    catalog.set(&server("db"), &given);
    let (_, found) = catalog.known().next().unwrap();
    let counts = (
        found.resources.len(),
        found.templates.len(),
        found.dropped.len(),
    );
    assert_eq!(counts, (1, 1, 3));
    assert!(
        found
            .dropped
            .iter()
            .all(|one| one.reason.contains("16 expressions"))
    );
}

#[test]
fn hidden_characters_are_taken_out_of_texts_and_said_to_be() {
    let mut catalog = Catalog::new([server("db")], 48);
    let tools = [
        "{\"name\":\"q\",\"description\":\"plain\u{202e}\\u001b[2J\"}",
        "{\"name\":\"k\",\"inputSchema\":{\"a\u{202e}\":1}}",
        "{\"name\":\"n\u{202e}\",\"title\":\"\u{202e}\"}",
    ];
    catalog.set(&server("db"), &lists(&tools, &[]));
    let (_, tool) = catalog.tool("db__q").unwrap();
    assert_eq!(
        tool.definition.get(),
        r#"{"name":"db__q","description":"plain[2J"}"#
    );
    assert_eq!(&*tool.description, "plain[2J");
    assert_eq!(catalog.cleaned(&server("db")), 1);
    let (_, found) = catalog.known().next().unwrap();
    assert_eq!((found.tools.len(), found.dropped.len()), (1, 2));
}

#[test]
fn two_servers_with_one_uri_stay_apart() {
    let (first, second) = (server("one"), server("two"));
    let mut catalog = Catalog::new([first.clone(), second.clone()], 48);
    let shared = r#"{"uri":"file:///readme","name":"r"}"#;
    catalog.set(&first, &lists(&[], &[shared]));
    catalog.set(
        &second,
        &lists(&[], &[shared, r#"{"uri":"file:///own","name":"o"}"#]),
    );
    assert_eq!(
        catalog.exposed_uri(&first, "file:///readme"),
        "file:///readme"
    );
    let alias = catalog.exposed_uri(&second, "file:///readme").into_owned();
    assert_eq!(alias, "chaperone://two/file%3A%2F%2F%2Freadme");
    assert_eq!(
        catalog.locate(&alias),
        Some((&second, "file:///readme".into()))
    );
    assert_eq!(
        catalog.locate("file:///readme"),
        Some((&first, "file:///readme".into()))
    );
    assert_eq!(
        catalog.locate("file:///own"),
        Some((&second, "file:///own".into()))
    );
    assert_eq!(catalog.locate("file:///none"), None);
}

#[test]
fn a_shared_template_can_be_filled_in_for_either_server() {
    let (first, second) = (server("one"), server("two"));
    let mut catalog = Catalog::new([first.clone(), second.clone()], 48);
    let shared = RawLists {
        templates: vec![raw(r#"{"uriTemplate":"demo://x/{id}","name":"x"}"#)],
        ..RawLists::default()
    };
    catalog.set(&first, &shared);
    catalog.set(&second, &shared);
    let template = |server| {
        catalog
            .exposed_template(server, "demo://x/{id}")
            .into_owned()
    };
    assert_eq!(template(&first), "demo://x/{id}");
    assert_eq!(template(&second), "chaperone://two/demo://x/{id}");
    for (asked, server, own) in [
        ("demo://x/a%2Fb", &first, "demo://x/a%2Fb"),
        ("chaperone://two/demo://x/a%2Fb", &second, "demo://x/a%2Fb"),
        ("chaperone://two/demo://x/{id}", &second, "demo://x/{id}"),
        ("chaperone://two/demo%3A%2F%2Fx%2F7", &second, "demo://x/7"),
    ] {
        assert_eq!(catalog.locate(asked), Some((server, own.into())), "{asked}");
    }
    // What a server answers leads back to it.
    let answered = catalog.exposed_uri(&second, "demo://x/7").into_owned();
    assert_eq!(
        catalog.locate(&answered),
        Some((&second, "demo://x/7".into()))
    );
    assert_eq!(catalog.exposed_uri(&first, "demo://x/7"), "demo://x/7");
    assert_eq!(catalog.locate("chaperone://none/demo%3A7"), None);
}

#[test]
fn the_cache_gives_back_what_was_kept_for_the_same_person_and_address() {
    let dir = tempfile::tempdir().unwrap();
    let person = |subject: &str| crate::principal::Identity {
        issuer: "https://sso.example".into(),
        subject: subject.into(),
        email: None,
    };
    let kept = lists(&["{\"name\":\"q\",\"n\":12345678901234567890123}"], &[]);
    let cache = cache::Cache::of(dir.path(), &person("ana"));
    cache.store(&server("db"), "https://a/", &kept).unwrap();
    let found = cache.load(&server("db"), "https://a/").unwrap();
    assert_eq!(found.tools[0].get(), kept.tools[0].get());
    assert!(cache.load(&server("db"), "https://b/").is_none());
    let other = cache::Cache::of(dir.path(), &person("bob"));
    assert!(other.load(&server("db"), "https://a/").is_none());
}

#[test]
fn words_find_tools_by_name_before_description() {
    let mut catalog = Catalog::new([server("db")], 48);
    catalog.set(
        &server("db"),
        &lists(
            &[
                r#"{"name":"list_tables","description":"Shows all tables"}"#,
                r#"{"name":"query","description":"Runs a query; list results"}"#,
                r#"{"name":"other"}"#,
            ],
            &[],
        ),
    );
    let (_, found) = catalog.servers().next().unwrap();
    let tools: Vec<&Tool> = found.unwrap().tools.iter().collect();
    let names: Vec<&str> = search::rank(&tools, "List", 10)
        .iter()
        .map(|t| t.name.as_str())
        .collect();
    assert_eq!(names, ["list_tables", "query"]);
    assert_eq!(search::rank(&tools, "", 10).len(), 3);
}

#[test]
fn only_what_differs_is_said_to_have_changed() {
    let mut catalog = Catalog::new([server("db")], 48);
    let tool = r#"{"name":"list_tables"}"#;
    let resource = r#"{"uri":"file:///a","name":"a"}"#;
    let mut set =
        |tools: &[&str], resources: &[&str]| catalog.set(&server("db"), &lists(tools, resources));
    assert_eq!(set(&[tool], &[]), Changed::ALL);
    assert!(!set(&[tool], &[]).any());
    let changed = set(&[tool], &[resource]);
    assert!(changed.resources && !changed.tools && !changed.prompts);
    let changed = set(&[], &[resource]);
    assert!(changed.tools && !changed.resources);
    assert!(!catalog.set(&server("other"), &lists(&[tool], &[])).any());
}
