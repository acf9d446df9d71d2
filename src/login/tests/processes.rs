//! Refreshes of many processes, some of which are killed.
//!
//! The processes are this test binary, told by its environment to be one of them.

use std::io::BufRead;
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::store::Stall;
use super::*;
use crate::login::NoGrant;

const ROLE: &str = "CHAPERONE_TEST_PROCESS";

/// What a process is told to be.
#[derive(Serialize, Deserialize)]
struct Role {
    dir: std::path::PathBuf,
    issuer: String,
    stall: Option<String>,
}

/// Another process of the account.
struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts one and waits until it is ready to ask for a token.
    async fn start(world: &World, stall: Option<Stall>) -> Self {
        let role = Role {
            dir: world.dir.path().to_owned(),
            issuer: world.company.issuer().to_owned(),
            stall: stall.map(|stall| format!("{stall:?}")),
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "login::tests::processes::one_of_many",
                "--nocapture",
            ])
            .env(ROLE, serde_json::to_string(&role).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut process = Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        };
        process.until("ready").await;
        process
    }

    /// Tells it to ask for a token.
    async fn go(&mut self) {
        self.input.write_all(b"go\n").await.unwrap();
    }

    /// Reads its output up to the line with this word; returns what follows the word.
    async fn until(&mut self, word: &str) -> String {
        loop {
            let line = self.output.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended without saying {word}"));
            // The harness's own words may stand before it, on the same line.
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
        }
    }

    /// `kill -9`.
    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the parent test tells this process its role"
)]
#[test]
fn one_of_many() {
    let Ok(role) = std::env::var(ROLE) else {
        // Nobody's child: the tests below start it.
        return;
    };
    let role: Role = serde_json::from_str(&role).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(play(&role));
}

async fn play(role: &Role) {
    let store = FileStore::new(role.dir.join("keychain"));
    let session = Session::new(
        Some(company::identity(&role.issuer, AudienceBy::Resource)),
        &NetworkConfig::default(),
        vec![audience(ONE), audience(TWO)],
        &paths(&role.dir),
        Arc::new(SystemClock::new()),
        &Tasks::new(),
        Arc::new(store.clone()),
    );
    println!("ready");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let stalls = [Stall::BeforeSend, Stall::BeforeSave, Stall::AfterSave];
    let stall = stalls.into_iter().find(|stall| {
        let name = format!("{stall:?}");
        role.stall.as_ref() == Some(&name)
    });
    store.trouble.lock().unwrap().stall = stall;
    match session.grant(&audience(ONE)).await {
        Ok(grant) => println!("granted {}", grant.token().expose()),
        Err(error) => println!("refused {error:?}"),
    }
}

/// An account whose only access token has expired.
async fn expired() -> World {
    let world = World::real().await;
    let session = world.session();
    let tokens = world.tokens(Duration::ZERO);
    session.install(&tokens, Generation(1)).await.unwrap();
    world
}

#[tokio::test]
async fn ten_processes_with_one_expired_token_make_one_request() {
    let world = expired().await;
    let starts = (0..10).map(|_| Process::start(&world, None));
    let mut processes = futures_util::future::join_all(starts).await;
    for process in &mut processes {
        process.go().await;
    }
    for process in &mut processes {
        assert_eq!(process.until("granted").await, "access-2-1");
    }
    assert_eq!(world.company.requests(), 1);
    // Nobody lost the session.
    let two = world.session().grant(&audience(TWO)).await.unwrap();
    assert_eq!(two.token().expose(), "access-3-2");
}

#[tokio::test]
async fn the_lock_of_a_killed_refresher_goes_to_the_next() {
    let world = expired().await;
    let mut refresher = Process::start(&world, Some(Stall::BeforeSend)).await;
    let mut next = Process::start(&world, None).await;
    refresher.go().await;
    refresher.until("stalled").await;
    next.go().await;
    refresher.kill().await;
    assert_eq!(next.until("granted").await, "access-2-1");
    assert_eq!(world.company.requests(), 1);
}

#[tokio::test]
async fn killed_after_the_request_and_before_the_provider_saw_it_costs_nothing() {
    let world = expired().await;
    let (arrived, release) = world.company.hold(false);
    let mut refresher = Process::start(&world, None).await;
    refresher.go().await;
    arrived.await.unwrap();
    refresher.kill().await;
    // The provider never takes the request up.
    let grant = world.session().grant(&audience(ONE)).await.unwrap();
    assert_eq!(grant.token().expose(), "access-2-2");
    drop(release);
}

#[tokio::test]
async fn killed_before_the_new_token_is_kept_costs_one_sign_in_and_nothing_newer() {
    for stall in [None, Some(Stall::BeforeSave)] {
        let world = expired().await;
        let held = stall.is_none().then(|| world.company.hold(true));
        let (arrived, release) = held.unzip();
        let mut refresher = Process::start(&world, stall).await;
        refresher.go().await;
        match arrived {
            Some(arrived) => arrived.await.unwrap(),
            None => drop(refresher.until("stalled").await),
        }
        refresher.kill().await;
        drop(release);
        let session = world.session();
        assert!(matches!(
            session.grant(&audience(ONE)).await,
            Err(NoGrant::Ended)
        ));
        // The next sign-in works, and the process that gave up takes it.
        world.company.books().forgive();
        let tokens = world.tokens(Duration::from_secs(300));
        let other = world.session();
        other.install(&tokens, Generation(2)).await.unwrap();
        let grant = session.grant(&audience(TWO)).await.unwrap();
        assert_eq!(grant.principal.generation, Generation(2));
    }
}

#[tokio::test]
async fn killed_after_the_new_token_is_kept_costs_nothing() {
    let world = expired().await;
    let mut refresher = Process::start(&world, Some(Stall::AfterSave)).await;
    refresher.go().await;
    refresher.until("stalled").await;
    refresher.kill().await;
    let grant = world.session().grant(&audience(ONE)).await.unwrap();
    assert_eq!(grant.token().expose(), "access-3-2");
    assert_eq!(world.company.requests(), 2);
}

#[tokio::test]
async fn a_logout_while_others_refresh_leaves_nobody_signed_in() {
    let world = expired().await;
    let (arrived, release) = world.company.hold(true);
    let starts = (0..3).map(|_| Process::start(&world, None));
    let mut processes = futures_util::future::join_all(starts).await;
    for process in &mut processes {
        process.go().await;
    }
    arrived.await.unwrap();
    let session = world.session();
    let leaving = session.leave();
    let logout = async {
        let leaving = leaving.await.unwrap().unwrap();
        assert!(leaving.revoke().await.unwrap());
        leaving.forget().await.unwrap();
    };
    let releases = async { drop(release) };
    futures_util::future::join(logout, releases).await;
    // The newest token is the one that is revoked, and nothing brings the session back.
    assert_eq!(world.company.books().revoked, ["refresh-2"]);
    for mut process in processes {
        let ending = process.child.wait().await.unwrap();
        assert!(ending.success());
    }
    assert_eq!(world.store.fields(), [""; 0]);
    for name in ["tokens.sealed", "session.json"] {
        assert!(!world.paths().data_dir.join(name).exists(), "{name}");
    }
    assert!(matches!(
        session.grant(&audience(ONE)).await,
        Err(NoGrant::NotSignedIn)
    ));
    assert_eq!(world.company.requests(), 1);
}
