//! `chaperone whoami`, `status`, `servers` and `tools`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;

use super::console::Console;
use super::failure::{Failure, exit};
use crate::app::App;
use crate::gateway::status::{Report, ServerReport, ToolReport};
use crate::wording::terminal_safe;

/// What the four commands take.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chaperone whoami\n  chaperone status\n  chaperone servers --json | jq -r .name\n  chaperone tools --json | jq -r 'select(.shown) | .name'"
)]
pub struct ReportArgs {
    /// JSON: one object, or one object per line for lists.
    #[arg(long)]
    json: bool,
}

impl ReportArgs {
    /// In words.
    pub fn in_words() -> Self {
        Self { json: false }
    }
}

/// Says who is signed in.
pub async fn whoami(args: &ReportArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    app.config.as_ref()?;
    let person = app.gateway.whoami().await?;
    if args.json {
        console.json(&person)?;
    } else {
        console.say(&person.to_string())?;
    }
    Ok(exit::DONE)
}

/// Says how everything stands. An unusable configuration is part of the answer.
pub async fn status(args: &ReportArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    let report = report(app).await;
    if args.json {
        console.json(&report)?;
    } else {
        console.say(&report.to_string())?;
    }
    Ok(if report.problem.is_some() {
        exit::USAGE
    } else {
        exit::DONE
    })
}

/// Lists the servers.
pub async fn servers(args: &ReportArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    app.config.as_ref()?;
    let report = report(app).await;
    for server in &report.servers {
        if args.json {
            console.json(server)?;
        } else {
            console.say(&describe(server))?;
        }
    }
    needs_person(&report)
}

/// Lists the tools.
pub async fn tools(args: &ReportArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    app.config.as_ref()?;
    let report = report(app).await;
    for tool in report.servers.iter().flat_map(|server| &server.tools) {
        if args.json {
            console.json(tool)?;
        } else {
            console.say(&line(tool))?;
        }
    }
    for server in report
        .servers
        .iter()
        .filter(|server| server.tools_total.is_none())
    {
        let why = server
            .reason
            .as_deref()
            .unwrap_or("its tools are not known");
        console.note(&format!("{}: {}", server.name, terminal_safe(why)));
    }
    needs_person(&report)
}

async fn report(app: &App) -> Report {
    app.gateway.report(patience(app)).await
}

/// Servers get as long as the slowest of them may take for its lists.
pub(super) fn patience(app: &App) -> Duration {
    let servers = app.config.as_ref().map(|config| config.servers.as_slice());
    let each = servers.unwrap_or_default().iter();
    let longest = each.map(|server| server.list_timeout).max();
    longest.unwrap_or(Duration::from_secs(1))
}

fn needs_person(report: &Report) -> Result<u8, Failure> {
    match &report.not_signed_in {
        Some(why) => Err(Failure::new(why.code(), why.sentence())),
        None => Ok(exit::DONE),
    }
}

fn describe(server: &ServerReport) -> String {
    let mut text = format!("{}  {}  {}\n", server.name, server.state, server.url);
    if let Some(info) = &server.server_info {
        let revision = server.revision.as_deref().unwrap_or_default();
        // Writing to a string does not fail.
        let _written = writeln!(text, "  {} (MCP {revision})", terminal_safe(info));
    }
    if let Some(reason) = &server.reason {
        let _written = writeln!(text, "  {}", terminal_safe(reason));
    }
    if let Some(total) = server.tools_total {
        let _written = writeln!(text, "  {} of {total} tools", server.tools_shown);
    }
    for tool in server.tools.iter().filter(|tool| !tool.shown) {
        let reason = tool.reason.as_deref().unwrap_or(tool.decision);
        let (tool, reason) = (terminal_safe(&tool.tool), terminal_safe(reason));
        let _written = writeln!(text, "    without {tool}: {reason}");
    }
    text
}

fn line(tool: &ToolReport) -> String {
    let name = tool.name.as_deref().unwrap_or(&tool.tool);
    let name = terminal_safe(name);
    match (&tool.reason, tool.shown) {
        (Some(reason), true) => format!("{name:<48}  {}", terminal_safe(reason)),
        (Some(reason), false) => format!("{name:<48}  not shown: {}", terminal_safe(reason)),
        (None, _) => {
            let first = tool.description.lines().next().unwrap_or_default();
            format!("{name:<48}  {}", terminal_safe(first))
        }
    }
}
