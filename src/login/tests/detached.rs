//! Sign-ins in a process of their own, which is this test binary again.

use std::io::Write;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};

use super::signing_in::{record, visit};
use super::*;
use crate::login::detached::{self, Detached, Launcher};
use crate::login::flow::Opening;
use crate::login::{SignInError, SignInLink};

/// What the configuration file of these tests says.
#[derive(serde::Serialize, serde::Deserialize)]
struct Role {
    dir: std::path::PathBuf,
    issuer: String,
}

impl World {
    fn write_role(&self, issuer: &str) {
        let role = Role {
            dir: self.dir.path().to_owned(),
            issuer: issuer.to_owned(),
        };
        let json = serde_json::to_vec(&role).unwrap();
        std::fs::write(self.paths().config_file, json).unwrap();
    }

    /// A serving process whose sign-ins run in this test binary.
    fn serving(&self) -> Session {
        self.write_role(self.company.issuer());
        serving(self.session())
    }
}

fn serving(session: Session) -> Session {
    let mut session = session.recording(record());
    let shared = Arc::get_mut(&mut session.shared).unwrap();
    shared.launcher = Some(Launcher {
        program: std::env::current_exe().unwrap(),
        arguments: arguments("sign_in_process").map(Into::into).into(),
    });
    session
}

/// What follows the last of them are names of tests that do not exist.
fn arguments(name: &str) -> [String; 4] {
    let name = format!("login::tests::detached::{name}");
    ["--exact".into(), name, "--nocapture".into(), "--".into()]
}

/// The role, if this process was started with one.
fn role() -> Option<Role> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--config");
    let file = std::fs::read(arguments.nth(1)?).unwrap();
    Some(serde_json::from_slice(&file).unwrap())
}

fn run(role: &Role, play: impl AsyncFnOnce(Session)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let session = Session::new(
            Some(company::identity(&role.issuer, AudienceBy::Resource)),
            &NetworkConfig::default(),
            vec![audience(ONE), audience(TWO)],
            &paths(&role.dir),
            Arc::new(SystemClock::new()),
            &Tasks::new(),
            Arc::new(FileStore::new(role.dir.join("keychain"))),
        );
        play(session).await;
    });
}

#[test]
fn sign_in_process() {
    let Some(role) = role() else {
        // Nobody's child: the tests below start it.
        return;
    };
    if detached::leave().unwrap() == Detached::HandedOver {
        return;
    }
    run(&role, async |session| {
        let mut session = session.recording(record());
        Arc::get_mut(&mut session.shared).unwrap().opening = Opening::PrintOnly;
        // Its end is seen by others; a failure is written down for them.
        let _ended = session.sign_in_for_others().await;
    });
}

#[test]
fn host_process() {
    let Some(role) = role() else {
        return;
    };
    run(&role, async |session| {
        let link = link(&serving(session)).await;
        println!("link {}", link.url);
        std::io::stdout().flush().unwrap();
        std::future::pending::<()>().await;
    });
}

/// Asks until the page is there; each answer comes within a second or so.
async fn link(session: &Session) -> SignInLink {
    loop {
        match session.begin_sign_in().await {
            Ok(link) => return link,
            Err(error) if is_slow(&error) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Whether it goes on, for whoever asked first.
fn is_slow(error: &SignInError) -> bool {
    if let SignInError::Shared(error) = error {
        return is_slow(error);
    }
    matches!(error, SignInError::Slow)
}

#[tokio::test]
async fn the_first_who_asks_starts_the_sign_in_and_all_get_its_link() {
    let world = World::real().await;
    let sessions = [world.serving(), world.serving(), world.serving()];
    let links = sessions.iter().map(link);
    let links = futures_util::future::join_all(links).await;
    assert_eq!(links[0].url, links[1].url);
    assert_eq!(links[0].url, links[2].url);
    let waits = sessions.iter().map(Session::signed_in);
    let waits = futures_util::future::join_all(waits);
    let (ended, ()) = futures_util::future::join(waits, visit(links[0].url.clone())).await;
    assert_eq!(ended, [true; 3]);
    for session in &sessions {
        assert!(session.grant(&audience(ONE)).await.is_ok());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_sign_in_outlives_the_host_that_is_killed_with_all_its_children() {
    use std::os::unix::process::CommandExt;
    let world = World::real().await;
    world.write_role(world.company.issuer());
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(arguments("host_process"))
        .arg("--config")
        .arg(world.paths().config_file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    let mut host = tokio::process::Command::from(command).spawn().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("a link");
        if let Some((_, url)) = line.split_once("link ") {
            break url.parse().unwrap();
        }
    };
    let id = i32::try_from(host.id().unwrap()).unwrap();
    let group = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    host.wait().await.unwrap();
    let session = world.session();
    let (ended, ()) = futures_util::future::join(session.signed_in(), visit(url)).await;
    assert!(ended);
}

#[tokio::test]
async fn a_sign_in_that_cannot_begin_says_why() {
    let world = World::real().await;
    let session = world.serving();
    // Nothing listens there any more.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    world.write_role(&issuer);
    let sentence = loop {
        match session.begin_sign_in().await {
            Err(error) if is_slow(&error) => {}
            Err(SignInError::Shared(error)) => break error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert!(
        sentence.contains("the identity provider cannot be reached"),
        "{sentence}"
    );
    // With the provider back the next attempt goes through.
    world.write_role(world.company.issuer());
    visit(link(&session).await.url).await;
}

#[tokio::test]
async fn the_link_of_a_killed_sign_in_is_not_shown_again() {
    let world = World::real().await;
    let session = world.serving();
    let stale = "https://sso.example.com/stale".parse().unwrap();
    let now = world.company.clock().now();
    session.shared.link_file.tell_link(&stale, now).unwrap();
    let fresh = link(&session).await.url;
    assert_ne!(fresh, stale);
    visit(fresh).await;
}
