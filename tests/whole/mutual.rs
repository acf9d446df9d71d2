//! Receivers that know the sender by a client certificate.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;

pub use crate::sync::PKI;
use crate::sync::Scene;
use crate::world::World;
use crate::world::pki::Authority;

/// A world where the authority `servers` knows a `server`, `clients` a `device`, and `others` a
/// `stranger`.
pub fn certified() -> World {
    let world = World::new();
    let pki = world.home().join(PKI);
    Authority::new(&pki, "servers").certify("server", &["127.0.0.1"]);
    Authority::new(&pki, "clients").certify("device", &["device"]);
    Authority::new(&pki, "others").certify("stranger", &["stranger"]);
    world
}

/// A collector that asks for a certificate of the authority `clients`, and a person whose sink is said
/// by `sink`.
async fn scene(sink: &str) -> Scene {
    let world = certified();
    let pki = world.home().join(PKI);
    let trust = format!(
        "[network]\nca_file = \"{}\"",
        pki.join("servers.pem").display()
    );
    let sink = format!("kind = \"otlp\"\nurl = \"URL\"\n{sink}\n{trust}");
    Scene::within(world, &sink).await
}

/// Puts a certificate and its key beside the configuration.
fn install(scene: &Scene, name: &str) {
    let pki = scene.world.home().join(PKI);
    let place = scene.world.config_file();
    for (end, installed) in [("key", "client.key"), ("pem", "client.pem")] {
        let installed = place.with_file_name(installed);
        fs::copy(pki.join(name).with_extension(end), installed).expect("a copy");
    }
}

const FILES: &str = "auth = \"none\"\nclient_cert = \"client.pem\"\nclient_key = \"client.key\"";

#[tokio::test]
async fn a_certificate_that_cannot_be_shown_is_told_and_loses_nothing() {
    let scene = scene(FILES).await;
    scene.call().await;
    let key = scene.world.config_file().with_file_name("client.key");
    let refused = async |told: &str| {
        let (code, text) = scene.sync().await;
        assert_eq!(code, Some(5), "{told}: {text}");
        assert!(
            text.contains(told) && text.contains("None is lost"),
            "{told}: {text}"
        );
        let status = scene.world.run(&["status"]).await;
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(status.contains(told), "{told}: {status}");
        assert!(scene.seen().is_empty());
    };
    refused("`client_cert`").await;
    install(&scene, "stranger");
    refused("does not accept the client certificate").await;
    install(&scene, "device");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("its mode");
    refused("chmod go=").await;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("its mode");
    let good = fs::read_to_string(&key).expect("a key");
    fs::write(&key, good.replace("PRIVATE", "ENCRYPTED PRIVATE")).expect("a key");
    refused("the private key is encrypted").await;
    fs::copy(scene.world.home().join(PKI).join("stranger.key"), &key).expect("a key");
    refused("is not that of the client certificate").await;
    fs::write(&key, good).expect("a key");
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(0), "{text}");
    scene.assert_all_arrived(&[]).await;
}

#[tokio::test]
async fn without_a_certificate_the_receiver_is_told_to_ask_for_one() {
    let scene = scene("auth = \"none\"").await;
    scene.call().await;
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("asks for a client certificate"), "{text}");
    assert!(scene.seen().is_empty());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let mut scene = scene(FILES).await;
    install(&scene, "stranger");
    scene.world.talkative();
    let mut host = scene.world.host();
    host.initialize("2025-11-25").await;
    host.tools_with("only__start").await;
    let said = scene.world.log("chaperone");
    let waits = || fs::read_to_string(&said).is_ok_and(|text| text.contains("records wait"));
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(100));
    for _ in 0..600 {
        pace.tick().await;
        if waits() {
            break;
        }
    }
    assert!(waits(), "the stranger is served");
    install(&scene, "device");
    scene.taken(|record| record.contains("\"login\"")).await;
    host.close().await;
    assert_eq!(scene.sync().await.0, Some(0));
    scene.assert_all_arrived(&[]).await;
    // Whatever the program says when it says everything, keys are not part of it.
    let said = fs::read_to_string(said).expect("what it said");
    for name in ["stranger.key", "device.key"] {
        let key = fs::read_to_string(scene.world.home().join(PKI).join(name)).expect("a key");
        let line = key.lines().nth(1).expect("a line of it");
        assert!(!said.contains(line));
    }
}

#[tokio::test]
async fn the_key_may_be_in_the_keychain_and_a_token_goes_with_it() {
    let scene = scene("client_cert = \"../../pki/device.pem\"").await;
    scene.call().await;
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("sync secret --key siem"), "{text}");
    let key = fs::read(scene.world.home().join(PKI).join("device.key")).expect("a key");
    for (given, code) in [(&b"no key"[..], 2), (&key, 0)] {
        let mut command = scene.world.chaperone(&["sync", "secret", "--key", "siem"]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("chaperone");
        let mut input = child.stdin.take().expect("its input");
        input.write_all(given).await.expect("a key");
        drop(input);
        assert_eq!(child.wait().await.expect("its end").code(), Some(code));
    }
    let (code, text) = scene.sync().await;
    assert_eq!(code, Some(0), "{text}");
    scene.assert_all_arrived(&[]).await;
    let bearer = scene.seen()[0]["authorization"].clone();
    assert!(
        bearer
            .as_str()
            .is_some_and(|bearer| bearer.starts_with("Bearer ey")),
        "{bearer}"
    );
}
