//! `chaperone call`: one call from the terminal, through the same path as a host's.

use std::io::{IsTerminal, Read as _};

use clap::Args;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::console::{Console, lines_safe};
use super::failure::{Failure, exit};
use crate::app::App;
use crate::audit::Agent;
use crate::codes::Code;
use crate::gateway::Host;
use crate::wire::{Raw, method};
use crate::wording::terminal_safe;

/// Call a tool once, the way a host would.
///
/// The policy decides and the record keeps it, as for any host.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chaperone call database__list_tables\n  chaperone call database__query_database '{\"sql\": \"select 1\"}'\n  echo '{\"sql\": \"select 1\"}' | chaperone call database__query_database -"
)]
pub struct CallArgs {
    /// The tool as `chaperone tools` lists it: `server__tool`.
    tool: String,
    /// Its arguments as a JSON object; `-` reads them from standard input.
    #[arg(value_name = "JSON")]
    arguments: Option<String>,
    /// Print the whole result as it came, on one line.
    #[arg(long)]
    json: bool,
}

/// What is read of a result to show it to a person.
#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    content: Vec<Raw>,
    #[serde(default, rename = "isError")]
    is_error: bool,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

/// Calls the tool.
pub async fn run(args: &CallArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    app.config.as_ref()?;
    let params = params(args)?;
    app.gateway.whoami().await?;
    let (outbox, _notices) = mpsc::channel(64);
    let agent = Agent {
        name: concat!("chaperone-cli/", env!("CARGO_PKG_VERSION")).into(),
    };
    let host = Host::new(agent, outbox);
    let result = app
        .gateway
        .answer(&host, method::TOOLS_CALL, &params, None)
        .await?;
    show(args, &result, console)
}

fn params(args: &CallArgs) -> Result<Raw, Failure> {
    let given = match args.arguments.as_deref() {
        None => "{}".to_owned(),
        Some("-") => read_all()?,
        Some(text) => text.to_owned(),
    };
    let wrong = |error| Failure::new(Code::Usage, format!("the arguments are not JSON: {error}"));
    let given = Raw::parse(&given).map_err(wrong)?;
    if !given.is_object() {
        return Err(Failure::new(
            Code::Usage,
            "the arguments are not a JSON object",
        ));
    }
    let name = Raw::empty_object().with("name", &Raw::string(&args.tool));
    Ok(name.with("arguments", &given))
}

fn read_all() -> Result<String, Failure> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::new(
            Code::Usage,
            "the arguments are to come from standard input",
        ));
    }
    let mut text = String::new();
    stdin
        .read_to_string(&mut text)
        .map_err(|error| Failure::of(Code::Input, &error))?;
    Ok(text)
}

/// A result that says `isError` is one that failed.
fn show(args: &CallArgs, result: &Raw, console: &mut Console) -> Result<u8, Failure> {
    let shown: Option<Shown> = serde_json::from_str(result.get()).ok();
    let code = match &shown {
        Some(Shown { is_error: true, .. }) => exit::FAILED,
        Some(_) | None => exit::DONE,
    };
    match shown {
        Some(shown) if !args.json => {
            for block in shown.content {
                let text: Result<Text, _> = serde_json::from_str(block.get());
                match text {
                    Ok(Text { text }) => console.say(&lines_safe(&text))?,
                    Err(_) => console.say(&terminal_safe(block.get()))?,
                }
            }
        }
        Some(_) | None => console.say(&compact(result))?,
    }
    Ok(code)
}

/// One line, whatever blanks the server put between its members.
fn compact(result: &Raw) -> String {
    if !result.get().contains(['\n', '\r']) {
        return result.get().to_owned();
    }
    // Inside a JSON string these two characters cannot stand.
    result.get().replace(['\n', '\r'], " ")
}
