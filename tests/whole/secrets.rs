//! Nothing secret is left anywhere: every secret of a busy session is looked for in everything that
//! the program writes or shows, and a planted one is found in each place.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::company::{Company, text};
use crate::world::browser;

/// Arguments that look like secrets, by key and by shape.
const PASSWORD: &str = "canary-hunter2-in-an-argument";
const CLOUD_KEY: &str = "AKIAIOSFODNN7CANARY1";

/// A place with what stands in it.
type Places = Vec<(String, Vec<u8>)>;

fn find<'a>(places: &'a Places, secret: &str) -> Vec<&'a str> {
    let holds = |bytes: &[u8]| {
        bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes())
    };
    places
        .iter()
        .filter(|(_, bytes)| holds(bytes))
        .map(|(name, _)| name.as_str())
        .collect()
}

fn files(directory: &Path, places: &mut Places) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, places);
        } else {
            places.push((
                path.display().to_string(),
                fs::read(&path).unwrap_or_default(),
            ));
        }
    }
}

/// What others on this machine can read of a process.
fn process(pid: u32, places: &mut Places) {
    for part in ["cmdline", "environ"] {
        let path = format!("/proc/{pid}/{part}");
        places.push((path.clone(), fs::read(path).expect("a running process")));
    }
}

#[tokio::test]
async fn no_secret_is_left_in_any_place() {
    let mut company = Company::new("").await;
    company.world.talkative();
    let (login, link) = company.login(&[]).await;
    let mut places = Places::new();
    process(login.id().expect("a running process"), &mut places);
    let page = browser::sign_in(&link, "bob").await;
    assert_eq!(page.status, 200, "{page:?}");
    let output = login.wait_with_output().await.expect("an end");
    places.push(("login's stderr".into(), output.stderr));
    let mut host = company.host().await;
    process(host.pid(), &mut places);
    host.tools().await;
    let arguments =
        json!({"message": "x", "password": PASSWORD, "note": format!("key {CLOUD_KEY}")});
    host.call("everything__echo", arguments).await;
    // A server that fails and shows the bearer that it was sent.
    let echoed = host
        .call("deploy__rollback", json!({"version": "show me my bearer"}))
        .await;
    assert_eq!(echoed["isError"], true, "{echoed}");
    assert!(text(&echoed).contains("500"), "{echoed}");
    places.push((
        "what the host was told".into(),
        echoed.to_string().into_bytes(),
    ));
    let transcript = host.transcript();
    host.close().await;
    places.push(("stdout".into(), transcript.into_bytes()));
    let output = company.world.run(&["logout"]).await;
    places.push((
        "logout's output".into(),
        [output.stdout, output.stderr].concat(),
    ));
    files(&company.world.data_dir(), &mut places);
    places.push((
        "stderr".into(),
        fs::read(company.world.log("chaperone")).expect("a log"),
    ));

    let seen = company.provider.control("secrets", json!({})).await;
    let seen = seen["secrets"].as_array().expect("secrets");
    let mut secrets: Vec<&str> = seen.iter().filter_map(|secret| secret.as_str()).collect();
    assert!(
        secrets.len() >= 6,
        "code, verifier, tokens: {}",
        secrets.len()
    );
    secrets.extend([PASSWORD, CLOUD_KEY]);
    for secret in secrets {
        let found = find(&places, secret);
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
    control(&mut places);
}

/// The search finds what is there.
fn control(places: &mut Places) {
    assert!(
        !find(places, "everything__echo").is_empty(),
        "the places are not empty"
    );
    assert!(places.iter().any(|(name, _)| name.ends_with("audit.db")));
    for at in 0..places.len() {
        let planted = format!("planted-{at}");
        let middle = places[at].1.len() / 2;
        let secret = planted.bytes();
        places[at].1.splice(middle..middle, secret);
        assert_eq!(find(places, &planted), [places[at].0.as_str()]);
    }
}
