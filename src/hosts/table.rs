//! The hosts that are known, and how each writes down what it starts.
//!
//! A host that is not in this table is not guessed at: what its file means is its own affair.

use super::edit::{Entry, Member};

/// A program that starts MCP servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host {
    /// Claude Desktop.
    ClaudeDesktop,
    /// Claude Code.
    ClaudeCode,
    /// Visual Studio Code, its Insiders, and its server on remote machines.
    VsCode,
    /// Cursor.
    Cursor,
    /// Windsurf.
    Windsurf,
    /// Zed.
    Zed,
    /// Codex.
    Codex,
    /// Gemini CLI.
    GeminiCli,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// RFC 8259. Comments and trailing commas are kept where they are, but the host may not read them.
    Json,
    /// The same with comments and trailing commas.
    Jsonc,
    /// TOML.
    Toml,
}

/// Where in a file the servers are, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// How the file is written.
    pub syntax: Syntax,
    /// The member of the whole that holds the servers by name.
    pub key: &'static str,
}

impl Host {
    /// All of them, as they are listed.
    pub const ALL: [Self; 8] = [
        Self::ClaudeDesktop,
        Self::ClaudeCode,
        Self::VsCode,
        Self::Cursor,
        Self::Windsurf,
        Self::Zed,
        Self::Codex,
        Self::GeminiCli,
    ];

    /// The one that is called so on the command line.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|host| host.id() == id)
    }

    /// What it is called on the command line.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "claude-desktop",
            Self::ClaudeCode => "claude-code",
            Self::VsCode => "vscode",
            Self::Cursor => "cursor",
            Self::Windsurf => "windsurf",
            Self::Zed => "zed",
            Self::Codex => "codex",
            Self::GeminiCli => "gemini-cli",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "Claude Desktop",
            Self::ClaudeCode => "Claude Code",
            Self::VsCode => "VS Code",
            Self::Cursor => "Cursor",
            Self::Windsurf => "Windsurf",
            Self::Zed => "Zed",
            Self::Codex => "Codex",
            Self::GeminiCli => "Gemini CLI",
        }
    }

    /// How it writes down its servers.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        let (syntax, key) = match self {
            Self::ClaudeDesktop | Self::ClaudeCode | Self::Cursor | Self::Windsurf => {
                (Syntax::Json, "mcpServers")
            }
            Self::GeminiCli => (Syntax::Jsonc, "mcpServers"),
            Self::VsCode => (Syntax::Jsonc, "servers"),
            Self::Zed => (Syntax::Jsonc, "context_servers"),
            Self::Codex => (Syntax::Toml, "mcp_servers"),
        };
        Dialect { syntax, key }
    }

    /// The entry that makes it start a program with these arguments.
    #[must_use]
    pub fn entry(self, command: &str, args: &[Box<str>]) -> Entry {
        let text = |text: &str| Member::Text(text.into());
        let mut members = match self {
            Self::ClaudeCode | Self::VsCode => vec![("type", text("stdio"))],
            // Zed tells servers of extensions from those that a person added.
            Self::Zed => vec![("source", text("custom")), ("enabled", Member::Flag(true))],
            Self::ClaudeDesktop | Self::Cursor | Self::Windsurf | Self::Codex | Self::GeminiCli => {
                Vec::new()
            }
        };
        members.push(("command", text(command)));
        members.push(("args", Member::Texts(args.to_vec())));
        Entry(members)
    }
}
