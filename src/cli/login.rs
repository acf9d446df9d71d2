//! `chaperone login`.

use std::time::Duration;

use clap::Args;

use super::console::Console;
use super::failure::{Failure, exit};
use crate::app::App;
use crate::codes::Code;
use crate::login::flow::{LoginError, Opening};
use crate::login::{Here, SignInError};
use crate::wording::chain;

/// How long a person may take, unless said otherwise.
const PATIENCE: u64 = 300;

/// Sign in with the company's identity provider.
///
/// Opens the browser, waits until you are done there, and keeps the session in the system's
/// keychain, for all hosts and all servers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  chaperone login\n  chaperone login --no-browser > link.txt &")]
pub struct LoginArgs {
    /// Print the link alone on the first line of standard output, and wait.
    #[arg(long)]
    no_browser: bool,
    /// How many seconds you may take.
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Print who signed in as one JSON object.
    #[arg(long)]
    json: bool,
    /// In a process of its own, for hosts that wait for it.
    #[arg(long, hide = true)]
    detached: bool,
}

impl LoginArgs {
    /// For a person who is told of the link here, or only there.
    pub fn of_person(no_browser: bool) -> Self {
        Self {
            no_browser,
            timeout: PATIENCE,
            json: false,
            detached: false,
        }
    }

    /// Whether this is the sign-in's own process.
    pub fn is_detached(&self) -> bool {
        self.detached
    }
}

/// Signs in for the processes that wait for it; nobody reads what is printed.
pub async fn detached(app: &App) -> Result<u8, Failure> {
    match app.session.sign_in_for_others().await {
        Ok(()) => Ok(exit::DONE),
        Err(error) => Err(failure(&error)),
    }
}

/// Signs in.
pub async fn run(args: &LoginArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    app.config.as_ref()?;
    let here = Here {
        opening: if args.no_browser {
            Opening::PrintOnly
        } else {
            Opening::Browser
        },
        deadline: Duration::from_secs(args.timeout),
    };
    let (tell, mut told) = tokio::sync::oneshot::channel();
    let signing_in = app.session.sign_in(here, |url| {
        // The receiver lives in this function.
        let _told = tell.send(url.clone());
    });
    tokio::pin!(signing_in);
    let signed_in = tokio::select! {
        biased;
        Ok(url) = &mut told => {
            announce(args, url.as_str(), console)?;
            signing_in.await
        }
        ended = &mut signing_in => ended,
    };
    match signed_in {
        Ok(_) => welcome(args, app, console).await,
        Err(SignInError::UnderWay) => join(args, app, console).await,
        Err(error) => Err(failure(&error)),
    }
}

fn announce(args: &LoginArgs, link: &str, console: &mut Console) -> Result<(), Failure> {
    if args.no_browser {
        return console.say(link);
    }
    console.note(&format!(
        "Your browser opens to sign in. If it does not, open this link:\n\n  {link}\n"
    ));
    Ok(())
}

/// Somebody is at it in another process: the same link serves.
async fn join(args: &LoginArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    let link = app
        .session
        .begin_sign_in()
        .await
        .map_err(|error| failure(&error))?;
    announce(args, link.url.as_str(), console)?;
    console.note("A sign-in is under way already; waiting for it.");
    let patience = Duration::from_secs(args.timeout);
    match tokio::time::timeout(patience, app.session.signed_in()).await {
        Ok(true) => welcome(args, app, console).await,
        Ok(false) => Err(Failure::new(
            Code::SignInFailed,
            "the sign-in ended without a session",
        )),
        Err(_) => Err(failure(&SignInError::Login(LoginError::TimedOut(patience)))),
    }
}

async fn welcome(args: &LoginArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    let person = app.gateway.whoami().await?;
    if args.json {
        console.json(&person)?;
    } else {
        console.say(&person.to_string())?;
    }
    Ok(exit::DONE)
}

fn failure(error: &SignInError) -> Failure {
    let text = format!("the sign-in failed: {}", chain(error));
    if let SignInError::Keychain(cause) = error {
        return Failure::new(cause.code(), format!("{text}. {}", cause.next_step()));
    }
    let code = if matches!(error, SignInError::NotConfigured) {
        Code::ConfigInvalid
    } else if matches!(error, SignInError::Login(LoginError::TimedOut(_))) {
        Code::SignInTimeout
    } else if error.is_unreachable() {
        Code::ProviderUnreachable
    } else {
        Code::SignInFailed
    };
    Failure::new(code, text)
}
