//! What the user typed; one file for each command. The only place that prints for people.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed,
//! 2 wrong use or configuration, 3 refused by policy, 4 not signed in, 5 a server or the provider
//! unreachable, 6 the log is not intact, 7 it is, but its newest part is unproven.

pub mod audit;
mod call;
mod complete;
mod config;
mod console;
mod doctor;
mod failure;
mod headers;
mod help;
mod init;
mod login;
mod logout;
mod meter;
mod pins;
mod policy;
mod report;
mod serve;
mod setup;
mod sync;
mod version;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::app::App;
use crate::codes::Code;
use crate::config::Environment;
use crate::login::detached::{self, Detached};
use crate::paths::Paths;
use crate::stop::Tasks;
use crate::telemetry;

use console::Console;
use failure::{Failure, exit};

/// One MCP server in front of many: signs you in, shows and allows what the policy leaves, and
/// records every call.
#[derive(Debug, Parser)]
#[command(
    name = "chaperone",
    version,
    after_help = AFTER_HELP,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Another configuration than the account's own.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Nothing that counts up while long work goes on, for screen readers and records of a terminal.
    #[arg(long, global = true)]
    no_progress: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Without a command it serves MCP on standard input and output, which is what a host starts:

  {\"mcpServers\": {\"chaperone\": {\"command\": \"chaperone\"}}}

`chaperone setup` writes that entry for you.

Environment:
  CHAPERONE_CONFIG    the configuration, unless --config says otherwise
  CHAPERONE_DATA_DIR  where log, locks and cache lie
  CHAPERONE_LOG       what is told on standard error: error, warn, info, debug, trace

Exit codes:
  0 done                      4 not signed in
  1 failed                    5 a server or the provider cannot be reached
  2 wrong use, configuration  6 the audit log is not intact
  3 refused by policy         7 the audit log is intact, its newest part unproven";

#[derive(Debug, Subcommand)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of them in a process"
)]
enum Command {
    /// Serve MCP on standard input and output (what a host starts)
    #[command(
        after_help = "Example:\n  echo '{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\"}' | chaperone serve"
    )]
    Serve,
    /// Begin: configuration, sign-in and hosts, in one go
    Init(init::InitArgs),
    /// Give hosts the one entry that starts chaperone
    Setup(setup::SetupArgs),
    /// Sign in with the company's identity provider
    Login(login::LoginArgs),
    /// Sign out: at the provider, in the record, and on this machine
    Logout(logout::LogoutArgs),
    /// Print the headers with which a host's own connector reaches a server
    HeadersHelper(headers::HeadersArgs),
    /// Say who is signed in, with which roles and scopes, until when
    Whoami(report::ReportArgs),
    /// Say how everything stands: person, policy, servers, log
    Status(report::ReportArgs),
    /// Find out what is wrong, and what to do about it
    Doctor(doctor::DoctorArgs),
    /// List the servers, what the policy leaves of each, and why the rest is missing
    Servers(report::ReportArgs),
    /// List the tools, and why some are not shown
    Tools(report::ReportArgs),
    /// Show the definitions of tools that wait for consent, or accept them
    Pins(pins::PinsArgs),
    /// Call a tool once, the way a host would
    Call(call::CallArgs),
    /// Check the policy document, or ask what it says of a tool
    Policy(policy::PolicyArgs),
    /// Look at the record of calls, or verify it
    Audit(audit::AuditArgs),
    /// Say how far records have been sent elsewhere, or send them now
    Sync(sync::SyncArgs),
    /// Look at the settings
    Config(config::ConfigArgs),
    /// Say which program this is: version, commit, target
    Version(version::VersionArgs),
    /// Print completions for a shell
    Completions(complete::CompletionsArgs),
    /// Print the manual page
    #[command(after_help = "Example:\n  chaperone man > chaperone.1")]
    Man,
    /// Explain a command, the code of an error, or show a page of the documentation
    Help(help::HelpArgs),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let mut console = Console::of_system();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return complete::usage(&error, &mut console),
    };
    let code = run(cli, &mut console).unwrap_or_else(|failure| console.fail(&failure));
    ExitCode::from(code)
}

fn run(cli: Cli, console: &mut Console) -> Result<u8, Failure> {
    if cli.no_progress {
        console.hide_progress();
    }
    let paths = begin(cli.config)?;
    match cli.command {
        Some(Command::Completions(args)) => complete::completions(&args, console),
        Some(Command::Version(args)) => version::run(&args, console),
        Some(Command::Man) => complete::man(console),
        Some(Command::Help(args)) => help::run(&args, console),
        Some(Command::Config(args)) => config::run(&args, &paths, console),
        Some(Command::Init(args)) => init::run(&args, &paths, console),
        Some(Command::Setup(args)) => setup::run(&args, &paths, console),
        Some(Command::Login(args)) if args.is_detached() => match detached::leave() {
            Ok(Detached::HandedOver) => Ok(exit::DONE),
            Ok(Detached::Alone) => within(paths, async |app| login::detached(app).await),
            Err(error) => Err(Failure::of(Code::System, &error)),
        },
        None | Some(Command::Serve) => serve::run(paths),
        Some(Command::Login(args)) => {
            within(paths, async |app| login::run(&args, app, console).await)
        }
        Some(Command::Logout(args)) => {
            within(paths, async |app| logout::run(&args, app, console).await)
        }
        Some(Command::HeadersHelper(args)) => {
            within(paths, async |app| headers::run(&args, app, console).await)
        }
        Some(Command::Whoami(args)) => {
            within(paths, async |app| report::whoami(&args, app, console).await)
        }
        Some(Command::Status(args)) => {
            within(paths, async |app| report::status(&args, app, console).await)
        }
        Some(Command::Doctor(args)) => {
            within(paths, async |app| doctor::run(&args, app, console).await)
        }
        Some(Command::Servers(args)) => within(paths, async |app| {
            report::servers(&args, app, console).await
        }),
        Some(Command::Tools(args)) => {
            within(paths, async |app| report::tools(&args, app, console).await)
        }
        Some(Command::Pins(args)) => {
            within(paths, async |app| pins::run(&args, app, console).await)
        }
        Some(Command::Call(args)) => {
            within(paths, async |app| call::run(&args, app, console).await)
        }
        Some(Command::Policy(args)) => {
            within(paths, async |app| policy::run(&args, app, console).await)
        }
        Some(Command::Sync(args)) => {
            within(paths, async |app| sync::run(&args, app, console).await)
        }
        Some(Command::Audit(args)) => {
            within(paths, async |app| audit::execute(&args, app, console).await)
        }
    }
}

/// Begins to tell what happens, and finds out where things lie.
fn begin(config: Option<PathBuf>) -> Result<Paths, Failure> {
    no_core_dumps();
    let environment = Environment::read();
    telemetry::start(environment.log.as_deref())
        .map_err(|error| Failure::of(Code::Usage, &error))?;
    let config = config.map(|path| std::path::absolute(&path).unwrap_or(path));
    Paths::find(config.or(environment.config), environment.data_dir)
        .map_err(|error| Failure::of(Code::NoHome, &error))
}

/// What runs beside a command that is done may take so long to end: a token that is being exchanged
/// is lost if nobody keeps the new one.
const LAST_TASKS: Duration = Duration::from_millis(500);

/// Runs one command with all parts at hand, and closes them afterwards.
fn within(
    paths: Paths,
    command: impl AsyncFnOnce(&App) -> Result<u8, Failure>,
) -> Result<u8, Failure> {
    with(|tasks| App::open(paths, tasks), command)
}

/// The same with parts that are put together otherwise, and any result.
fn with<T>(
    open: impl FnOnce(&Tasks) -> App,
    command: impl AsyncFnOnce(&App) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let tasks = Tasks::new();
        let app = open(&tasks);
        let result = command(&app).await;
        app.gateway.close().await;
        tasks.finish(LAST_TASKS).await;
        result
    });
    // Whatever waits longer for a keychain or a name server is not waited for.
    runtime.shutdown_background();
    result
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::of(Code::System, &error))
}

/// A crash leaves no memory behind, and the memory holds tokens.
#[cfg(unix)]
fn no_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps cannot be turned off");
    }
}

#[cfg(not(unix))]
fn no_core_dumps() {}
