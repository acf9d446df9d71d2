//! Witnesses see the log grow, and find out when it is not the one that they saw.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::sync::settle_in;
use crate::world::World;
use crate::world::parts::{Provider, http};

const WITNESS: &str = "tests/world/servers/witness.py";

/// Somebody who is signed in, with a witness that knows the log.
struct Scene {
    world: World,
    provider: Provider,
    url: String,
    /// The witness' keys: Ed25519, then ML-DSA-44.
    keys: [String; 2],
}

impl Scene {
    /// The log is shown to a witness twice: under each of its keys.
    async fn new() -> Self {
        let mut world = World::new();
        world.keychain().await;
        let provider = world.provider(json!({})).await;
        let url = start(&mut world, &provider, None).await;
        let keys = get(&url, "keys").await;
        let mut keys = keys.lines().map(str::to_owned);
        let keys = [keys.next().expect("a key"), keys.next().expect("a key")];
        let witness = |name, key: &str| {
            format!("[[audit.witness]]\nname = \"{name}\"\nurl = \"{url}\"\nkey = \"{key}\"\n")
        };
        let more = witness("company", &keys[0]) + &witness("public", &keys[1]);
        settle_in(&mut world, &provider, &more).await;
        let scene = Self {
            world,
            provider,
            url,
            keys,
        };
        scene.call().await;
        scene
    }

    async fn call(&self) {
        let start = ["call", "only__start", "{}"];
        assert_eq!(self.world.run(&start).await.status.code(), Some(0));
    }

    /// Writes the calls into a bundle.
    async fn export(&self, bundle: &str) {
        let select = ["--select", "tool=start"];
        let export = [&["audit", "export", "--bundle", bundle], &select[..]].concat();
        assert_eq!(self.world.run(&export).await.status.code(), Some(0));
    }

    async fn trust(&self) {
        let key = self.world.run(&["audit", "key"]).await.stdout;
        post(&self.url, "trust", String::from_utf8(key).expect("UTF-8")).await;
    }

    /// Shows the newest head.
    async fn show(&self) -> (Option<i32>, String) {
        let output = self.world.run(&["sync", "--now"]).await;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("UTF-8");
        (output.status.code(), text)
    }

    async fn seen(&self) -> Vec<Value> {
        serde_json::from_str(&get(&self.url, "seen").await).expect("JSON")
    }

    async fn contradictions(&self) -> usize {
        let output = self.world.run(&["audit", "list", "--all", "--json"]).await;
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.matches("witness_contradiction").count()
    }
}

async fn start(world: &mut World, provider: &Provider, port: Option<&str>) -> String {
    let directory = world.home().join("witness");
    let mut command = world.python(WITNESS);
    command.arg(directory).args(port);
    world.server_of(command, "witness", provider).await.url
}

async fn get(url: &str, what: &str) -> String {
    let place = url.replace("/prefix", &format!("/{what}"));
    let answer = http().get(place).send().await.expect("the witness");
    answer.text().await.expect("its answer")
}

async fn post(url: &str, what: &str, body: String) {
    let place = url.replace("/prefix", &format!("/{what}"));
    let sent = http().post(place).body(body).send().await;
    assert!(sent.expect("the witness").status().is_success());
}

#[tokio::test]
async fn a_witness_sees_the_log_grow_through_all_that_it_does() {
    let mut scene = Scene::new().await;
    let (code, text) = scene.show().await;
    assert_eq!(code, Some(5), "{text}");
    assert!(
        text.contains("does not know this log") && text.contains("audit key"),
        "{text}"
    );
    scene.trust().await;
    let (code, text) = scene.show().await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("records cosigned at 2").count(), 2, "{text}");
    for step in [
        json!({"status": 503, "retry_after": 1}),
        json!({"status": 429}),
        json!({"status": 500}),
        json!({"lost": true}),
    ] {
        scene.call().await;
        post(&scene.url, "plan", json!([step]).to_string()).await;
        assert_eq!(scene.show().await.0, Some(5), "{step}");
        let (code, text) = scene.show().await;
        assert_eq!(code, Some(0), "{step}: {text}");
    }
    // One that was lost had been seen, and was shown again.
    let port = scene
        .url
        .replace("http://127.0.0.1:", "")
        .replace("/prefix", "");
    scene.world.stop("witness").await;
    scene.call().await;
    assert_eq!(scene.show().await.0, Some(5));
    start(&mut scene.world, &scene.provider, Some(&port)).await;
    assert_eq!(scene.show().await.0, Some(0));
    let status = scene.world.run(&["status"]).await.stdout;
    let status = String::from_utf8_lossy(&status).into_owned();
    assert!(status.contains("witnessed by company: "), "{status}");
    assert_eq!(scene.contradictions().await, 0);
    let seen = scene.seen().await;
    assert!(
        seen[0]["proof"].as_u64() > Some(0),
        "it continues what it saw: {seen:?}"
    );
}

#[tokio::test]
async fn a_host_has_its_log_witnessed_by_itself() {
    let scene = Scene::new().await;
    scene.trust().await;
    let mut host = scene.world.host();
    host.initialize("2025-11-25").await;
    host.tools_with("only__start").await;
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(250));
    for _ in 0..400 {
        pace.tick().await;
        if !scene.seen().await.is_empty() {
            return host.kill().await;
        }
    }
    panic!("the witness never sees the log");
}

#[tokio::test]
async fn an_older_copy_and_another_history_are_found_by_the_witness() {
    let scene = Scene::new().await;
    scene.trust().await;
    assert_eq!(scene.show().await.0, Some(0));
    let data = scene.world.data_dir();
    let log = data.join("audit.db");
    let older = fs::read(&log).expect("the log");
    for _ in 0..3 {
        scene.call().await;
    }
    assert_eq!(scene.show().await.0, Some(0));
    fs::write(&log, older).expect("an older copy");
    // What happens next makes it another history; first a shorter one.
    scene.call().await;
    let (code, text) = scene.show().await;
    assert_eq!(code, Some(5), "{text}");
    assert!(
        text.contains("the log is an older copy, or was cut"),
        "{text}"
    );
    assert_eq!(scene.show().await.0, Some(5));
    assert_eq!(scene.contradictions().await, 2, "one for each witness");
    for _ in 0..6 {
        scene.call().await;
    }
    let (code, text) = scene.show().await;
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("another history of this log"), "{text}");
    let status = scene.world.run(&["status"]).await.stdout;
    let status = String::from_utf8_lossy(&status).into_owned();
    assert!(status.contains("another history of this log"), "{status}");
}

#[tokio::test]
async fn an_auditor_who_trusts_the_witness_alone_verifies_the_log_and_evidence_from_it() {
    let scene = Scene::new().await;
    scene.trust().await;
    assert_eq!(scene.show().await.0, Some(0));
    let place = scene.world.home().join("elsewhere");
    fs::create_dir(&place).expect("a place");
    let copy = place.join("copy.db");
    fs::copy(scene.world.data_dir().join("audit.db"), &copy).expect("a copy");
    let (copy, bundle) = (
        copy.display().to_string(),
        place.join("evidence.zip").display().to_string(),
    );
    for _ in 0..3 {
        scene.call().await;
    }
    scene.export(&bundle).await;
    for key in &scene.keys {
        let verify = ["audit", "verify", &copy, "--witness-key", key];
        let output = scene.world.run(&verify).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(
            text.contains("the witness witness.example/w1 saw"),
            "{text}"
        );
        // The head of the bundle continues the one that the witness saw.
        let log_key = scene.world.run(&["audit", "key"]).await.stdout;
        let log_key = String::from_utf8(log_key).expect("UTF-8");
        let verify = [
            "audit",
            "verify",
            &bundle,
            "--witness-key",
            key,
            "--key",
            log_key.trim(),
            "--json",
        ];
        let output = scene.world.run(&verify).await;
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(output.status.code(), Some(0), "{report}");
        assert!(
            report["witnesses"][0]["seen"].as_u64() < report["signed"].as_u64(),
            "{report}"
        );
    }
    assert_forgery_is_found(&scene, &copy, &place).await;
}

async fn assert_forgery_is_found(scene: &Scene, copy: &str, place: &Path) {
    // Whoever puts another's signature into the file is found out.
    let forged = rewritten(copy, &place.join("forged.db"));
    let verify = ["audit", "verify", &forged, "--witness-key", &scene.keys[0]];
    let output = scene.world.run(&verify).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(
        text.contains("the cosignature of the head is wrong"),
        "{text}"
    );
}

/// A copy in which the time of the first cosignature is another.
fn rewritten(copy: &str, forged: &Path) -> String {
    let mut bytes = fs::read(copy).expect("the copy");
    let line = "\u{2014} witness.example/w1 ";
    let mut at = 0;
    while let Some(found) = bytes[at..]
        .windows(line.len())
        .position(|part| part == line.as_bytes())
    {
        // Behind the identifier of the key: 4 bytes of it, 8 of the time.
        let digit = at + found + line.len() + 12;
        bytes[digit] = if bytes[digit] == b'B' { b'C' } else { b'B' };
        at = digit;
    }
    fs::write(forged, bytes).expect("a forgery");
    forged.display().to_string()
}

#[tokio::test]
async fn a_new_key_is_told_to_the_witness_and_the_old_one_still_verifies() {
    let scene = Scene::new().await;
    scene.trust().await;
    assert_eq!(scene.show().await.0, Some(0));
    let old = scene.world.run(&["audit", "key"]).await.stdout;
    let old = String::from_utf8(old).expect("UTF-8");
    let output = scene.world.run(&["audit", "rotate-key"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    scene.call().await;
    let (code, text) = scene.show().await;
    assert_eq!(code, Some(5));
    assert!(text.contains("does not take this log's key"), "{text}");
    scene.trust().await;
    assert_eq!(scene.show().await.0, Some(0));
    let bundle = scene
        .world
        .home()
        .join("evidence.zip")
        .display()
        .to_string();
    scene.export(&bundle).await;
    for file in [None, Some(&*bundle)] {
        let verify = ["audit", "verify", "--key", old.trim(), "--json"];
        let output = scene
            .world
            .run(&[&verify[..], file.as_slice()].concat())
            .await;
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["key_changes"], 1, "{report}");
        assert_ne!(report["verdict"], "changed", "{report}");
    }
}
