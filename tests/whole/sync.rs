//! Records leave the machine: all of them, in order, through whatever happens on the way.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::world::World;
use crate::world::parts::{Provider, http};

const COLLECTOR: &str = "tests/world/servers/collector.py";
/// Where in the home it keeps what it has taken.
const COLLECTED: &str = "collected";
/// Where in the home its certificates are, if it has any.
pub const PKI: &str = "pki";

/// One plain server that everybody may use, `more` in the configuration, and Alice, who signs in.
pub async fn settle_in(world: &mut World, provider: &Provider, more: &str) {
    let mut command = world.node("tests/world/servers/plain.mjs");
    command.arg("only");
    let server = world.server_of(command, "only", provider).await;
    world.configure(provider, &[&server], more);
    let policy = "version: \"1.0\"\npolicies:\n  - {name: all, servers: [\"*\"], roles: [\"*\"]}\n";
    world.write_policy(policy);
    let (page, output) = world.sign_in("alice").await;
    assert_eq!(
        (page.status, output.status.code()),
        (200, Some(0)),
        "{output:?}"
    );
}

/// Somebody who is signed in, with a place that records are sent to.
pub struct Scene {
    pub world: World,
    provider: Provider,
    url: String,
}

impl Scene {
    /// `sink` is what the sink's table holds; `URL` stands for where the collector listens.
    pub async fn of(sink: &str) -> Self {
        Self::within(World::new(), sink).await
    }

    /// The same in a world that is there.
    pub async fn within(mut world: World, sink: &str) -> Self {
        world.keychain().await;
        let provider = world.provider(json!({})).await;
        let url = start(&mut world, &provider, None).await;
        let sink = sink.replace("URL", &url);
        let more = format!("[[audit.sink]]\nname = \"siem\"\n{sink}\n");
        settle_in(&mut world, &provider, &more).await;
        Self {
            world,
            provider,
            url,
        }
    }

    /// Makes the collector misbehave.
    async fn plan(&self, plan: Value) {
        let place = self.url.replace("/v1/logs", "/plan");
        let sent = http().post(place).body(plan.to_string()).send().await;
        assert!(sent.expect("the collector").status().is_success());
    }

    /// What the collector has taken.
    pub fn seen(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.world.home().join(COLLECTED)).unwrap_or_default();
        // The last line may be being written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let value = |line| serde_json::from_str(line).expect("JSON");
        whole.lines().map(value).collect()
    }

    /// Waits until something that has been taken is wanted.
    pub async fn taken(&self, wanted: impl Fn(&str) -> bool) {
        let mut pace = tokio::time::interval(Duration::from_millis(250));
        for _ in 0..400 {
            pace.tick().await;
            let seen = self.seen();
            if texts(&seen).iter().any(|record| wanted(record)) {
                return;
            }
        }
        panic!("it never arrives: {:?}", self.seen());
    }

    pub async fn sync(&self) -> (Option<i32>, String) {
        let output = self.world.run(&["sync", "--now"]).await;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    }

    /// The record as it stands in the log.
    pub async fn log(&self) -> Vec<String> {
        let output = self.world.run(&["audit", "list", "--all", "--json"]).await;
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    /// The collector dies.
    pub async fn close(&mut self) {
        self.world.stop("collector").await;
    }

    /// The collector is back, where it was.
    pub async fn open(&mut self) {
        let port = self.url.replace("http://127.0.0.1:", "");
        let port = port.replace("/v1/logs", "");
        start(&mut self.world, &self.provider, Some(&port)).await;
    }

    pub async fn call(&self) {
        let start = ["call", "only__start", "{}"];
        assert_eq!(self.world.run(&start).await.status.code(), Some(0));
    }

    /// That everything has arrived, in order, nothing but the same twice.
    pub async fn assert_all_arrived(&self, but: &[&str]) {
        let seen = self.seen();
        let mut arrived: Vec<String> = Vec::new();
        for text in texts(&seen) {
            if !arrived.contains(&text) {
                arrived.push(text);
            }
        }
        let mut log = self.log().await;
        log.retain(|record| !but.iter().any(|text| record.contains(text)));
        assert_eq!(arrived, log);
    }
}

async fn start(world: &mut World, provider: &Provider, port: Option<&str>) -> String {
    let file = world.home().join(COLLECTED);
    let mut command = world.python(COLLECTOR);
    command.arg(file).args(port);
    let pki = world.home().join(PKI);
    if pki.exists() {
        command.env("TLS", pki);
    }
    world.server_of(command, "collector", provider).await.url
}

fn texts(seen: &[Value]) -> Vec<String> {
    let text = |one: &Value| one["record"].as_str().map(str::to_owned);
    seen.iter().filter_map(text).collect()
}

pub const PLAIN: &str = "kind = \"otlp\"\nurl = \"URL\"\nauth = \"none\"\ntimeout = \"2s\"";

#[tokio::test]
async fn everything_arrives_in_order_through_all_that_a_receiver_does() {
    let scene = Scene::of(PLAIN).await;
    scene.call().await;
    for step in [
        json!({"status": 429, "retry_after": 1}),
        json!({"status": 503}),
        json!({"status": 500}),
        json!({"status": 401}),
        json!({"status": 404}),
        json!({"reset": true}),
        json!({"lost": true}),
        json!({"slow": 3}),
    ] {
        scene.plan(json!([step])).await;
        let (code, text) = scene.sync().await;
        assert_eq!(code, Some(5), "{step}: {text}");
        assert!(text.contains("None is lost"), "{text}");
        scene.call().await;
    }
    let status = scene.world.run(&["status"]).await;
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("wait since 2"), "{status}");
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(0), "{text}");
    scene.assert_all_arrived(&[]).await;

    let seen = scene.seen();
    let last = seen.last().expect("a record");
    assert_eq!(last["scope"], json!(["chaperone.audit", "1"]));
    assert_eq!(last["about"]["service.name"], "chaperone");
    let head = last["about"]["chaperone.audit.checkpoint"].as_str();
    assert!(
        head.is_some_and(|head| head.starts_with("chaperone/audit/")),
        "{last}"
    );
    let calls = |one: &&Value| one["attributes"]["gen_ai.tool.name"] == "start";
    assert!(seen.iter().filter(calls).count() >= 2);
}

#[tokio::test]
async fn a_record_that_is_refused_is_passed_over_and_that_is_on_record() {
    let scene = Scene::of(PLAIN).await;
    for _ in 0..5 {
        scene.call().await;
    }
    let log = scene.log().await;
    let bad: Value = serde_json::from_str(&log[log.len() / 2]).expect("a record");
    let bad = bad["id"].as_str().expect("its name");
    scene.plan(json!([{"poison": bad}])).await;
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(0), "{text}");
    scene.assert_all_arrived(&[bad]).await;
    let told = scene.log().await;
    let told = told
        .iter()
        .filter(|record| record.contains("sync_quarantined"));
    assert_eq!(told.count(), 1);
    // Where every record is refused, it is the receiver that is wrong.
    scene.call().await;
    scene.plan(json!([{"poison": "timestamp"}])).await;
    assert_eq!(scene.sync().await.0, Some(5));
    scene.plan(json!([])).await;
    assert_eq!(scene.sync().await.0, Some(0));
    scene.assert_all_arrived(&[bad]).await;
}

#[tokio::test]
async fn a_running_host_sends_by_itself_and_survives_the_death_of_either_side() {
    let mut scene = Scene::of(PLAIN).await;
    for round in 0..3 {
        let mut host = scene.world.host();
        host.initialize("2025-11-25").await;
        host.tools_with("only__start").await;
        host.call("only__start", json!({"round": round})).await;
        let mark = format!("\"round\":{round}");
        scene.taken(|record| record.contains(&mark)).await;
        host.call("only__start", json!({})).await;
        host.kill().await;
        if round == 1 {
            scene.close().await;
            scene.open().await;
        }
    }
    // Another process is not kept waiting by those that are gone.
    assert_eq!(scene.sync().await.0, Some(0));
    scene.assert_all_arrived(&[]).await;
    let log = scene.log().await;
    let beats = log.iter().filter(|record| record.contains("\"heartbeat\""));
    assert_eq!(beats.count(), 1);
}

/// Stops a process where it is, as a machine that falls asleep does, or lets it go on.
async fn signal(pid: u32, name: &str) {
    let mut kill = tokio::process::Command::new("kill");
    let sent = kill.args([name, &pid.to_string()]).status().await;
    assert!(sent.expect("kill").success());
}

#[tokio::test]
async fn a_machine_that_slept_goes_on_sending() {
    let mut scene = Scene::of(PLAIN).await;
    let port = scene.url.replace("http://127.0.0.1:", "");
    let port = port.replace("/v1/logs", "");
    let mut host = scene.world.host();
    host.initialize("2025-11-25").await;
    host.tools_with("only__start").await;
    for round in 0..3 {
        host.call("only__start", json!({"round": round})).await;
        let mark = format!("\"round\":{round}");
        scene.taken(|record| record.contains(&mark)).await;
        signal(host.pid(), "-STOP").await;
        // Meanwhile its connections die.
        scene.world.stop("collector").await;
        start(&mut scene.world, &scene.provider, Some(&port)).await;
        signal(host.pid(), "-CONT").await;
    }
    host.close().await;
    assert_eq!(scene.sync().await.0, Some(0));
    scene.assert_all_arrived(&[]).await;
}

#[tokio::test]
async fn a_directory_gets_segments_and_the_signed_head() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().display();
    let scene = Scene::of(&format!("kind = \"directory\"\npath = \"{place}\"")).await;
    scene.call().await;
    let (code, told) = scene.sync().await;
    assert_eq!(code, Some(0));
    assert!(told.contains(" of "), "{told}");
    scene.call().await;
    let plain = ["sync", "--now", "--no-progress"];
    let plain = scene.world.run(&plain).await;
    assert_eq!((plain.status.code(), plain.stderr), (Some(0), Vec::new()));
    let log = std::fs::read_dir(directory.path())
        .expect("a directory")
        .next();
    let log = log.expect("a log").expect("its name").path();
    let mut names: Vec<_> = std::fs::read_dir(log)
        .expect("segments")
        .map(|entry| entry.expect("a segment").path())
        .collect();
    names.sort();
    let of = |end: &str| {
        let found = names
            .iter()
            .filter(|name| name.extension().is_some_and(|kind| kind == end));
        let read = |name| std::fs::read_to_string(name).expect("a segment");
        found.map(read).collect::<Vec<String>>()
    };
    let records: Vec<String> = of("jsonl").concat().lines().map(str::to_owned).collect();
    assert_eq!(records, scene.log().await);
    assert_eq!(of("jsonl").len(), 2);
    assert!(
        of("checkpoint")
            .iter()
            .all(|head| head.starts_with("chaperone/audit/"))
    );
}

#[tokio::test]
async fn an_event_collector_gets_its_token_from_the_keychain() {
    let scene = Scene::of("kind = \"splunk\"\nurl = \"URL\"").await;
    scene.call().await;
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(5));
    assert!(text.contains("chaperone sync secret siem"), "{text}");
    let mut command = scene.world.command(env!("CARGO_BIN_EXE_chaperone"));
    command
        .args(["sync", "secret", "siem"])
        .stdin(Stdio::piped());
    let mut child = command.spawn().expect("chaperone");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(b"canary-token\n").await.expect("a token");
    drop(input);
    assert!(child.wait().await.expect("its end").success());
    assert_eq!(scene.sync().await.0, Some(0));
    let seen = scene.seen();
    assert_eq!(seen.len(), scene.log().await.len());
    assert!(
        seen.iter()
            .all(|one| one["authorization"] == "Splunk canary-token")
    );
    assert_eq!(seen[0]["event"]["sourcetype"], "chaperone:audit");
}

#[tokio::test]
async fn a_collector_that_trusts_the_company_gets_the_persons_token() {
    let scene = Scene::of("kind = \"otlp\"\nurl = \"URL\"").await;
    scene.call().await;
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(0), "{text}");
    let seen = scene.seen();
    let bearer = seen[0]["authorization"].as_str().expect("a bearer");
    assert!(bearer.starts_with("Bearer ey"), "{bearer}");
    scene.assert_all_arrived(&[]).await;
}

#[tokio::test]
async fn a_hold_is_on_record_and_ends() {
    let scene = Scene::of(PLAIN).await;
    scene.call().await;
    for (word, said) in [("on", "on: "), ("on", "on: "), ("off", "off: ")] {
        let output = scene.world.run(&["audit", "hold", word]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let now = scene.world.run(&["audit", "hold"]).await.stdout;
        assert!(now.starts_with(said.as_bytes()), "{now:?}");
    }
    let log = scene.log().await.join("\n");
    assert_eq!(log.matches("\"hold_begun\"").count(), 1);
    assert_eq!(log.matches("\"hold_ended\"").count(), 1);
}
