//! `chaperone sync`: where records are sent, how far each place is, and sending them now; and what
//! witnesses have seen.

use std::fmt::Write as _;
use std::io::Read as _;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::console::Console;
use super::failure::{Failure, exit};
use crate::app::App;
use crate::audit;
use crate::codes::Code;
use crate::config::{ClientCertificate, Receiver, SinkAuth, SinkConfig, SinkWay};
use crate::login::keychain::SecretStore as _;
use crate::sync::{Courier, Ended, Lag, Progress, Sight, Size, key_field, secret_field};
use crate::upstream::check_key;
use crate::wording::{chain, terminal_safe};

/// The longest value of a header that is kept, in bytes.
const SECRET: u64 = 16 << 10;
/// How long another process that sends is waited for.
const ELSEWHERE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// Say how far records have been sent, or send them now.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Records are sent while a host runs chaperone, to every [[audit.sink]] of the \
                  configuration, and every [[audit.witness]] is shown the newest signed head.\n\nExamples:\n  chaperone sync\n  chaperone sync --now\n  \
                  chaperone sync secret splunk < token.txt"
)]
pub struct SyncArgs {
    #[command(subcommand)]
    command: Option<SyncCommand>,
    /// Send what waits, and show the newest head to the witnesses; wait until that is done.
    #[arg(long)]
    now: bool,
    /// One JSON object per sink and witness.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum SyncCommand {
    /// Keep the value of a sink's header in the keychain, or the key of its client certificate; it is
    /// read from standard input
    #[command(
        after_help = "Examples:\n  chaperone sync secret splunk < token.txt\n  \
                      chaperone sync secret --key siem < key.pem"
    )]
    Secret {
        /// The sink.
        sink: Box<str>,
        /// It is the private key of `client_cert`, in PEM form.
        #[arg(long)]
        key: bool,
        /// Forget it instead.
        #[arg(long)]
        forget: bool,
    },
}

/// Runs the command.
pub async fn run(args: &SyncArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    app.config.as_ref()?;
    if let Some(SyncCommand::Secret { sink, key, forget }) = &args.command {
        let kept = if *key { Kept::Key } else { Kept::Header };
        return secret(sink, kept, *forget, app, console);
    }
    if app.sync.sinks().is_empty() && app.sync.witnesses().is_empty() {
        let text = "records are sent nowhere; add an [[audit.sink]] or [[audit.witness]] to the \
                    configuration";
        return Err(Failure::new(Code::Usage, text));
    }
    audit::settle(&app.paths);
    let mut code = exit::DONE;
    if args.now {
        for sink in app.sync.sinks() {
            if let Err(failure) = send(&app.sync, sink, args.json, console).await {
                code = console.fail(&failure);
            }
        }
        for witness in app.sync.witnesses() {
            if let Err(why) = app.sync.show_now(witness).await {
                let name = witness.name.as_str();
                let text = format!("{name}: the newest head is not cosigned: {why}");
                code = console.fail(&Failure::new(Code::Witness, text));
            }
        }
    }
    for lag in app.sync.lags() {
        if args.json {
            console.json(&lag)?;
        } else {
            console.say(&described(&lag))?;
        }
    }
    for sight in app.sync.sights() {
        if args.json {
            console.json(&sight)?;
        } else {
            console.say(&cosigned(&sight))?;
        }
    }
    Ok(code)
}

async fn send(
    sync: &Courier,
    sink: &SinkConfig,
    quiet: bool,
    console: &mut Console,
) -> Result<(), Failure> {
    let name = sink.name.as_str();
    let quiet = quiet || !console.shows_progress();
    let ended = sync
        .send_now(sink, |Progress { sent, of }| {
            if !quiet {
                console.note(&format!("{name}: {sent} of {of}"));
            }
        })
        .await;
    match ended {
        Ended::Done => Ok(()),
        Ended::Failed(why) => Err(unsent(name, &why)),
        Ended::Elsewhere => elsewhere(sync, name, console).await,
    }
}

/// Another process of the account sends; it is watched for a while.
async fn elsewhere(sync: &Courier, name: &str, console: &mut Console) -> Result<(), Failure> {
    console.note(&format!("{name}: another chaperone is sending"));
    let lag = || sync.lags().into_iter().find(|lag| &*lag.sink == name);
    let end = lag().map_or(0, |lag| lag.sent + lag.waiting);
    let watching = async {
        while lag().is_some_and(|lag| lag.sent < end) {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(ELSEWHERE, watching).await.is_ok() {
        return Ok(());
    }
    let why = lag().and_then(|lag| lag.problem);
    let why = why.as_deref().unwrap_or("it is still at it");
    Err(unsent(name, why))
}

fn unsent(name: &str, why: &str) -> Failure {
    let text = format!("{name}: records wait, because of this: {why}. None is lost.");
    Failure::new(Code::SyncBehind, text)
}

fn described(lag: &Lag) -> String {
    let (name, to) = (terminal_safe(&lag.sink), terminal_safe(&lag.to));
    let mut text = format!("{name}  {}  {to}\n", lag.kind);
    // Writing to a string does not fail.
    let _written = write!(text, "  {} records sent", lag.sent);
    let size = Size(lag.waiting_bytes);
    let _written = match (&lag.waiting_since, lag.waiting) {
        (_, 0) => write!(text, ", none waits"),
        (Some(since), waiting) => write!(text, ", {waiting} ({size}) wait since {since}"),
        (None, waiting) => write!(text, ", {waiting} ({size}) wait"),
    };
    if lag.over_limit {
        let _written = write!(
            text,
            "\n  more than audit.spool_limit or audit.spool_age allow: until it has been sent, only tools \
             that the policy names under read_only can be called"
        );
    }
    if let Some(problem) = &lag.problem {
        let _written = write!(text, "\n  {}", terminal_safe(problem));
    }
    text
}

fn cosigned(sight: &Sight) -> String {
    let (name, to) = (terminal_safe(&sight.witness), terminal_safe(&sight.to));
    let mut text = format!("{name}  witness  {to}\n");
    // Writing to a string does not fail.
    let _written = match &sight.time {
        Some(time) => write!(text, "  {} records cosigned at {time}", sight.seen),
        None => write!(text, "  nothing cosigned yet"),
    };
    if let Some(problem) = &sight.problem {
        let _written = write!(text, "\n  {}", terminal_safe(problem));
    }
    text
}

/// What the keychain keeps for a sink.
#[derive(Clone, Copy)]
enum Kept {
    Header,
    Key,
}

impl Kept {
    /// Where it is kept.
    fn field(self, sink: &SinkConfig) -> Result<String, &'static str> {
        match self {
            Self::Header => match &sink.way {
                SinkWay::Otlp(Receiver { auth, .. }) | SinkWay::Splunk(Receiver { auth, .. })
                    if matches!(auth, SinkAuth::Header(_)) =>
                {
                    Ok(secret_field(sink))
                }
                SinkWay::Otlp(_)
                | SinkWay::Splunk(_)
                | SinkWay::Syslog(_)
                | SinkWay::Directory(_) => Err("has no header; set auth = \"header\""),
            },
            Self::Key => match sink.way.certificate() {
                Some(ClientCertificate { key: None, .. }) => Ok(key_field(sink)),
                Some(_) => Err("has its key in a file; remove `client_key`"),
                None => Err("shows no certificate; set `client_cert`"),
            },
        }
    }
}

fn secret(
    name: &str,
    kept: Kept,
    forget: bool,
    app: &App,
    console: &mut Console,
) -> Result<u8, Failure> {
    let usage = |text: String| Failure::new(Code::Usage, text);
    let mut sinks = app.sync.sinks().iter();
    let sink = sinks.find(|sink| sink.name.as_str() == name);
    let sink = sink.ok_or_else(|| usage(format!("no sink is called {name:?}")))?;
    let field = kept.field(sink);
    let field = field.map_err(|why| usage(format!("the sink {name:?} {why}")))?;
    let secrets = &app.keychain;
    if forget {
        secrets
            .delete(&field)
            .map_err(|error| Failure::of(error.code(), &error))?;
        console.note("Forgotten.");
        return Ok(exit::DONE);
    }
    // Never moved to a larger place, which would leave a copy behind.
    let room = usize::try_from(SECRET + 1).unwrap_or(0);
    let mut text = zeroize::Zeroizing::new(Vec::with_capacity(room));
    let read = std::io::stdin().take(SECRET + 1).read_to_end(&mut text);
    read.map_err(|error| Failure::of(Code::Input, &error))?;
    let value = text.trim_ascii();
    let is_long = u64::try_from(text.len()).is_ok_and(|length| length > SECRET);
    if value.is_empty() || is_long {
        let text = "standard input holds no value, or one that is too long";
        return Err(usage(text.to_owned()));
    }
    if let (Kept::Key, Err(why)) = (kept, check_key(value)) {
        return Err(usage(chain(&why)));
    }
    let written = secrets.write(&field, value);
    written.map_err(|error| Failure::of(error.code(), &error))?;
    console.note("Kept in the keychain.");
    Ok(exit::DONE)
}
