//! Records arrive at a real rsyslog: all of them, in order and byte for byte, whatever becomes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::mutual::{PKI, certified};
use crate::sync::Scene;
use crate::world::rsyslog::{Asks, Rsyslog};
use crate::world::way::{Cut, Way};
use crate::world::{PATIENCE, World};

/// A world whose certificates are made, and a daemon in it.
async fn daemon(driver: &'static str, asks: Asks) -> (World, Rsyslog) {
    let world = certified();
    let pki = world.home().join(PKI);
    let daemon = Rsyslog::start(&world, &pki, driver, asks).await;
    (world, daemon)
}

/// A person whose records go to a port of this machine; `more` stands in the sink's table.
async fn scene(world: World, port: u16, more: &str) -> Scene {
    let trust = world.home().join(PKI).join("servers.pem");
    let sink = format!(
        "kind = \"syslog\"\naddress = \"127.0.0.1:{port}\"\n{more}\n[network]\nca_file = \"{}\"",
        trust.display()
    );
    Scene::within(world, &sink).await
}

const SHOWN: &str = "client_cert = \"../../pki/device.pem\"\nclient_key = \"../../pki/device.key\"";

/// Calls with arguments that are hard on those who put texts into lines, and one with a record of more
/// than 50 kB: each of many redacted values is noted with its place.
async fn hard_calls(scene: &Scene) {
    let hidden: Vec<Value> = (0..200).map(|_| json!({"password": "x"})).collect();
    let arguments = [
        json!({"text": "two\nlines \"quoted\" ] \\ \\] \u{7f}\u{85}\u{2028} <1>1 - %msg% 12 "}),
        json!({"text": "Grüße, 世界 🌍 \u{feff} #012 #177"}),
        json!({ "long".repeat(50): hidden }),
    ];
    for arguments in arguments {
        let arguments = arguments.to_string();
        let output = scene.world.run(&["call", "only__start", &arguments]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let policy = "version: \"1.0\"\npolicies:\n  - {name: all, servers: [\"*\"], roles: [\"*\"], tools: \
                  {denied: [where]}}\n";
    scene.world.write_policy(policy);
    let refused = scene.world.run(&["call", "only__where", "{}"]).await;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
}

fn texts(received: &[Value]) -> Vec<String> {
    let text = |one: &Value| one["text"].as_str().expect("a text").to_owned();
    received.iter().map(text).collect()
}

/// That everything has arrived, in order, and that what came twice came the same.
async fn assert_all_arrived(scene: &Scene, daemon: &Rsyslog) {
    let mut arrived: Vec<String> = Vec::new();
    for text in texts(&daemon.received()) {
        if !arrived.contains(&text) {
            arrived.push(text);
        }
    }
    assert_eq!(arrived, scene.log().await);
}

fn leaf(text: &str) -> String {
    let digest = Sha256::new()
        .chain_update([0])
        .chain_update(text)
        .finalize();
    digest
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test]
async fn every_record_arrives_in_order_and_byte_for_byte() {
    let (world, daemon) = daemon("ossl", Asks::Certificate).await;
    let scene = scene(world, daemon.port, SHOWN).await;
    hard_calls(&scene).await;
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(0), "{text}{}", daemon.log());
    let (log, received) = (scene.log().await, daemon.received());
    assert_eq!(texts(&received), log);
    assert!(log.iter().any(|record| record.len() > 50_000));
    let mut severities = Vec::new();
    for (seq, (record, message)) in log.iter().zip(&received).enumerate() {
        let stored: Value = serde_json::from_str(record).expect("a record");
        let element = &message["element"]["chaperone@32473"];
        assert_eq!(element["id"], stored["id"], "{message}");
        assert_eq!(element["seq"], seq.to_string());
        assert_eq!(element["leaf"], leaf(record));
        assert_eq!(element["mapping"], "1");
        assert_eq!(
            element["log_id"],
            received[0]["element"]["chaperone@32473"]["log_id"]
        );
        assert_eq!(message["app"], "chaperone");
        assert_eq!(message["kind"], stored["kind"]);
        assert_eq!(message["time"], stored["timestamp"]);
        let process = stored["host_pid"].as_u64().map(|pid| pid.to_string());
        assert_eq!(message["process"], process.as_deref().unwrap_or("-"));
        assert_eq!(message["host"], stored["client_ip"].as_str().unwrap_or("-"));
        let severity = match stored["outcome"].as_str() {
            Some("error" | "unknown") => "108",
            Some("denied") => "109",
            _ => "110",
        };
        assert_eq!(message["pri"], severity, "{record}");
        severities.push(severity);
        let head = element["checkpoint"]
            .as_str()
            .map(|head| STANDARD.decode(head));
        assert_eq!(head.is_some(), seq + 1 == log.len(), "{element}");
        if let Some(head) = head {
            assert!(head.expect("base64").starts_with(b"chaperone/audit/"));
        }
    }
    assert!(severities.contains(&"109") && severities.contains(&"110"));
}

#[tokio::test]
async fn a_daemon_that_dies_in_the_middle_loses_nothing() {
    let (world, mut daemon) = daemon("ossl", Asks::Certificate).await;
    let way = Way::to(daemon.port).await;
    let scene = scene(world, way.port, SHOWN).await;
    hard_calls(&scene).await;
    let all: usize = scene.log().await.iter().map(String::len).sum();
    for (part, ends, has_some) in [
        (1, Rsyslog::KILL, false),
        (2, Rsyslog::TERMINATE, false),
        (3, Rsyslog::KILL, true),
        (4, Rsyslog::TERMINATE, true),
        (5, Rsyslog::KILL, true),
        (6, Rsyslog::KILL, false),
    ] {
        // Less than a sixth of it is handshake; more than all of it are the messages' heads.
        let reached = way.cut(Cut::After(all * part / 6));
        let before = daemon.received().len();
        let (sync, ()) = tokio::join!(scene.sync(), async {
            reached.await.expect("a connection");
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            let something = async {
                while has_some && daemon.received().len() == before {
                    pace.tick().await;
                }
            };
            let something = tokio::time::timeout(PATIENCE, something).await;
            something.unwrap_or_else(|_| panic!("nothing came of {part}/6 of {all}"));
            daemon.end(ends).await;
        });
        assert_eq!(sync.0, Some(5), "{part}/6: {}", sync.1);
        assert!(sync.1.contains("None is lost"), "{}", sync.1);
        daemon.run(&scene.world).await;
    }
    let before = daemon.received().len();
    // It has everything, and what it says of that is lost.
    let reached = way.cut(Cut::Unanswered(10_000));
    assert_eq!(scene.sync().await.0, Some(5));
    reached.await.expect("a connection");
    assert_eq!(scene.sync().await.0, Some(0));
    assert_all_arrived(&scene, &daemon).await;
    let log = scene.log().await.len();
    let after = daemon.received().len();
    assert!(
        before > 0 && after >= before + 2 * log,
        "{before} {log} {after}"
    );
    // What was taken is not sent again.
    assert_eq!(scene.sync().await.0, Some(0));
    assert_eq!(daemon.received().len(), after);
}

#[tokio::test]
async fn a_daemon_that_does_not_say_farewell_is_believed_where_that_is_set() {
    let (world, daemon) = daemon("gtls", Asks::Certificate).await;
    let scene = scene(world, daemon.port, SHOWN).await;
    scene.call().await;
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("see `receipt`"), "{text}");
    let file = scene.world.config_file();
    let settings = fs::read_to_string(file).expect("a configuration");
    let settings = settings.replace("kind = \"syslog\"", "kind = \"syslog\"\nreceipt = \"eof\"");
    scene.world.write_configuration(&settings);
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(0), "{text}");
    assert_all_arrived(&scene, &daemon).await;
}

#[tokio::test]
async fn whoever_is_not_trusted_is_told_and_nothing_is_sent() {
    let (world, daemon) = daemon("ossl", Asks::Certificate).await;
    let scene = scene(world, daemon.port, "").await;
    scene.call().await;
    let refused = async |told: &str| {
        let (code, text) = scene.sync().await;
        assert_eq!(code, Some(5), "{told}: {text}");
        assert!(text.contains(told), "{told}: {text}");
        let lag = scene.world.run(&["sync", "--json"]).await.stdout;
        let lag: Value = serde_json::from_slice(&lag).expect("JSON");
        assert_eq!((&lag["kind"], &lag["sent"]), (&json!("syslog"), &json!(0)));
        assert!(
            lag["problem"]
                .as_str()
                .is_some_and(|why| why.contains(told)),
            "{lag}"
        );
        assert_eq!(daemon.received(), Vec::<Value>::new());
    };
    refused("`client_cert`").await;
    let file = scene.world.config_file();
    let settings = fs::read_to_string(file).expect("a configuration");
    let stranger = SHOWN.replace("device", "stranger");
    let settings = settings.replace(
        "kind = \"syslog\"",
        &format!("kind = \"syslog\"\n{stranger}"),
    );
    scene.world.write_configuration(&settings);
    refused("client certificate").await;
    let settings = settings.replace("servers.pem", "others.pem");
    scene.world.write_configuration(&settings);
    refused("`ca_file`").await;
}

#[tokio::test]
async fn each_of_several_sinks_has_its_own_pace() {
    let (world, mut daemon) = daemon("ossl", Asks::Nothing).await;
    let archive = world.home().join("archive");
    let more = format!(
        "[[audit.sink]]\nname = \"archive\"\nkind = \"directory\"\npath = \"{}\"",
        archive.display()
    );
    let scene = scene(world, daemon.port, &more).await;
    scene.call().await;
    daemon.end(Rsyslog::KILL).await;
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(5), "{text}");
    assert_eq!(lines(&archive), scene.log().await);
    scene.call().await;
    daemon.run(&scene.world).await;
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(texts(&daemon.received()), scene.log().await);
    assert_eq!(lines(&archive), scene.log().await);
}

/// The records in an archive, in order.
fn lines(archive: &Path) -> Vec<String> {
    let log = fs::read_dir(archive).expect("an archive").next();
    let log = log.expect("a log").expect("its name").path();
    let segments = fs::read_dir(log).expect("segments");
    let mut segments: Vec<PathBuf> = segments
        .map(|segment| segment.expect("a segment").path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    segments.sort();
    let texts = segments.iter().map(fs::read_to_string);
    let texts: String = texts.map(|text| text.expect("a segment")).collect();
    texts.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_running_host_goes_on_after_the_daemon_was_started_anew() {
    let (world, mut daemon) = daemon("ossl", Asks::Nothing).await;
    let scene = scene(world, daemon.port, "").await;
    for round in 0..2 {
        let mut host = scene.world.host();
        host.initialize("2025-11-25").await;
        host.tools_with("only__start").await;
        host.call("only__start", json!({"round": round})).await;
        let mark = format!("\"round\":{round}");
        let mut pace = tokio::time::interval(Duration::from_millis(250));
        let arrival = async {
            let has = |text: &String| text.contains(&mark);
            while !texts(&daemon.received()).iter().any(has) {
                pace.tick().await;
            }
        };
        let arrival = tokio::time::timeout(PATIENCE, arrival).await;
        arrival.expect("the host sends by itself");
        daemon.end(Rsyslog::TERMINATE).await;
        daemon.run(&scene.world).await;
        host.kill().await;
    }
    assert_eq!(scene.sync().await.0, Some(0));
    assert_all_arrived(&scene, &daemon).await;
}
