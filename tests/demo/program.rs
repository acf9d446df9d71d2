//! The program that is demonstrated: built, given a place of its own, started.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::people::Person;
use crate::{Addresses, Outcome, browser};

/// How long anything may take; a person with a browser takes longest.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where a session is kept between processes, which depends on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// In the system's keychain: one sign-in for all processes.
    Kept,
    /// Nowhere, for want of a keychain: each process has its own.
    InEachProcess,
}

impl fmt::Display for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "keychain           found: one sign-in serves every process",
            Self::InEachProcess => {
                "keychain           none: each process signs in for itself, and keeps it in memory"
            }
        })
    }
}

/// The binary and its place.
pub struct Program {
    binary: PathBuf,
    home: PathBuf,
    by_hand: bool,
}

impl Program {
    /// Builds the program beside this example. Cargo builds no binary for an example, so that is
    /// asked of it here, in the profile that this example was built in.
    pub fn build(by_hand: bool) -> Outcome<Self> {
        let example = std::env::current_exe()?;
        let profile = example
            .ancestors()
            .nth(2)
            .ok_or("this example does not lie in a target directory")?;
        let target = profile
            .parent()
            .ok_or("this example does not lie in a target directory")?;
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args([
            "build",
            "--quiet",
            "--locked",
            "--bin",
            "chaperone",
        ]);
        cargo.arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        if !cargo.status()?.success() {
            return Err("the program could not be built".into());
        }
        let home = profile.join("demo");
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        Ok(Self {
            binary: profile.join(format!("chaperone{}", std::env::consts::EXE_SUFFIX)),
            home,
            by_hand,
        })
    }

    /// Writes the configuration for the company, and its policy.
    pub fn configure(&self, company: &Addresses) -> Outcome {
        let Addresses {
            issuer,
            database,
            deploy,
        } = company;
        let text = format!(
            "[identity]\nissuer = \"{issuer}\"\nclient_id = \"{}\"\nscopes = [\"openid\", \"profile\", \
             \"email\", \"offline_access\", \"mcp:tools:read\", \"mcp:tools:execute\", \"mcp:admin\"]\n\n\
             [policy]\nfile = \"mcp-policies.yaml\"\n\n\
             [[server]]\nname = \"database\"\nurl = \"{database}\"\n\n\
             [[server]]\nname = \"deploy\"\nurl = \"{deploy}\"\n",
            crate::provider::CLIENT
        );
        write_private(&self.config_file(), &text)?;
        write_private(
            &self.policy_file(),
            include_str!("../../config/mcp-policies.yaml"),
        )?;
        self.install_opener()
    }

    /// The configuration.
    pub fn config_file(&self) -> PathBuf {
        self.home.join("chaperone.toml")
    }

    /// The policy.
    pub fn policy_file(&self) -> PathBuf {
        self.home.join("mcp-policies.yaml")
    }

    fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    /// A command of the program.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .env("CHAPERONE_CONFIG", self.config_file())
            .env("CHAPERONE_DATA_DIR", self.data_dir())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if !self.by_hand {
            command.env("PATH", self.home.join("bin"));
        }
        command
    }

    /// Signs the first person in, and tells how sessions are kept here. Without a keychain the
    /// command refuses at once, without a link.
    pub async fn sign_in_way(&self, person: Person) -> Outcome<SignIn> {
        Ok(if self.sign_in(person).await? {
            SignIn::Kept
        } else {
            SignIn::InEachProcess
        })
    }

    /// Signs somebody in with `chaperone login`; whether the machine can keep a session.
    pub async fn sign_in(&self, person: Person) -> Outcome<bool> {
        let mut command = self.command(&["login", "--no-browser"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let Some(link) = timeout(PATIENCE, lines.next_line()).await?? else {
            return Ok(false);
        };
        self.visit(&link, person).await?;
        let rest = async {
            while lines.next_line().await?.is_some() {}
            Ok::<_, std::io::Error>(())
        };
        timeout(PATIENCE, rest).await??;
        let status = timeout(PATIENCE, child.wait()).await??;
        Ok(status.success())
    }

    /// Follows a sign-in link, or asks the person to.
    pub async fn visit(&self, link: &str, person: Person) -> Outcome {
        if !self.by_hand {
            return browser::sign_in(link, person).await;
        }
        println!("  Please sign in as {}: {link}", person.name);
        // A browser that cannot be opened leaves the link above.
        let _opened = open::that_detached(link);
        Ok(())
    }

    /// Runs a command, and shows it with what it prints.
    pub async fn show(&self, arguments: &[&str]) -> Outcome {
        println!("  $ chaperone {}", arguments.join(" "));
        let output = timeout(PATIENCE, self.command(arguments).output()).await??;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            println!("    {line}");
        }
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            println!("    {line}");
        }
        Ok(())
    }

    /// A command as a person would type it.
    pub fn line(&self, arguments: &[&str]) -> String {
        format!(
            "CHAPERONE_CONFIG={} CHAPERONE_DATA_DIR={} {} {}",
            self.config_file().display(),
            self.data_dir().display(),
            self.binary.display(),
            arguments.join(" ")
        )
    }

    /// The entry for a host's configuration.
    pub fn host_entry(&self) -> String {
        let entry = json!({ "mcpServers": { "chaperone": {
            "command": self.binary,
            "env": { "CHAPERONE_CONFIG": self.config_file(), "CHAPERONE_DATA_DIR": self.data_dir() },
        } } });
        format!("{entry:#}")
    }

    /// Stands in for the system's way of opening a link, unless the person is to see it.
    #[cfg(unix)]
    fn install_opener(&self) -> Outcome {
        use std::os::unix::fs::PermissionsExt as _;

        let path = self.home.join("bin/xdg-open");
        write_private(&path, "#!/bin/sh\n")?;
        Ok(fs::set_permissions(
            &path,
            fs::Permissions::from_mode(0o700),
        )?)
    }

    #[cfg(not(unix))]
    fn install_opener(&self) -> Outcome {
        Ok(())
    }
}

fn write_private(path: &Path, text: &str) -> Outcome {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}
