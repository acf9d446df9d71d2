//! `chaperone logout`.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::failure::{Failure, exit};
use crate::app::App;
use crate::audit::StoreError;
use crate::codes::Code;
use crate::format::Newer;
use crate::login::LeaveError;
use crate::wording::chain;

/// Sign out: at the provider (RFC 7009), in the record, and on this machine.
///
/// From then on no process of this account sends anything.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chaperone logout")]
pub struct LogoutArgs {
    /// Print what was done as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Done {
    user: Option<Box<str>>,
    session_ended: bool,
    revoked: bool,
    problem: Option<String>,
}

/// Signs out. The session ends first, so that nothing is sent while the provider is told.
pub async fn run(args: &LogoutArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    let failed = |error: LeaveError| Failure::of(Code::SignOutFailed, &error);
    let leaving = match app.session.leave().await {
        // Whoever signs out wants it gone, by whichever version it was kept.
        Err(error) if Newer::is_behind(&error) => {
            app.session.forget_newer().await.map_err(failed)?;
            console.note("A newer version kept the session, so the provider was not told.");
            None
        }
        other => other.map_err(failed)?,
    };
    let Some(leaving) = leaving else {
        return elsewhere(args, app, console).await;
    };
    let who = leaving.who().clone();
    let ended = app.audit.end_session(&who.identity, who.generation).await;
    let revoked = leaving.revoke().await;
    leaving
        .forget()
        .await
        .map_err(|error| Failure::of(Code::SignOutFailed, &error))?;
    let mut done = Done {
        user: Some(who.identity.display().into()),
        session_ended: ended.is_ok(),
        revoked: matches!(revoked, Ok(true)),
        problem: None,
    };
    let mut code = None;
    if let Err(error) = revoked {
        done.problem = Some(format!("the provider could not be told: {}", chain(&error)));
        code = Some(Code::SignOutUntold);
    }
    if let Err(error) = ended {
        done.problem = Some(format!(
            "the end could not be recorded: {}",
            chain(error.as_ref())
        ));
        code = Some(Code::SignOutFailed);
    }
    say(args, &done, code, console)
}

/// Ends a session of which the keychain knows nothing: a process without a keychain holds it in its
/// memory. The record refuses it from now on; what it was at the provider is that process' alone.
async fn elsewhere(args: &LogoutArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    let failed = |error: Arc<StoreError>| Failure::of(Code::SignOutFailed, &error);
    let Some((who, generation)) = app.audit.current_session().await.map_err(failed)? else {
        return say(args, &Done::default(), None, console);
    };
    let done = Done {
        user: Some(who.display().into()),
        session_ended: app
            .audit
            .end_session(&who, generation)
            .await
            .map_err(failed)?,
        ..Done::default()
    };
    say(args, &done, None, console)
}

fn say(
    args: &LogoutArgs,
    done: &Done,
    code: Option<Code>,
    console: &mut Console,
) -> Result<u8, Failure> {
    if args.json {
        console.json(done)?;
        return Ok(code.map_or(exit::DONE, Code::exit));
    }
    let Some(user) = &done.user else {
        console.say("Nobody was signed in.")?;
        return Ok(exit::DONE);
    };
    console.say(&format!(
        "{} is signed out on this machine.",
        user.escape_debug()
    ))?;
    if done.problem.is_none() && !done.revoked {
        console.note("The provider was not told (RFC 7009); its session may go on.");
    }
    match (code, &done.problem) {
        (Some(code), Some(problem)) => Err(Failure::new(code, problem.clone())),
        (Some(_) | None, _) => Ok(exit::DONE),
    }
}
