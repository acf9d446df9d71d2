//! `chaperone version`: which program this is, for whoever has to find out from afar.
//!
//! It says when nothing was built: the same sources give the same bytes, on any day.

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::failure::{Failure, exit};

/// What the command takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chaperone version --json")]
pub struct VersionArgs {
    /// One JSON object: version, commit, target and profile.
    #[arg(long)]
    json: bool,
}

/// The answer; names and meaning of its members stay as they are.
#[derive(Debug, Serialize)]
struct Build {
    /// As Cargo.toml has it.
    version: &'static str,
    /// The commit that a release was built from; `unknown` for whatever was built otherwise.
    commit: &'static str,
    /// For which system, in the compiler's words.
    target: String,
    /// `release`, or `debug` if the program checks itself as it runs.
    profile: &'static str,
}

/// Says which program this is.
pub fn run(args: &VersionArgs, console: &mut Console) -> Result<u8, Failure> {
    let build = Build::of_this();
    if args.json {
        console.json(&build)?;
    } else {
        let Build {
            version,
            commit,
            target,
            profile,
        } = build;
        console.say(&format!(
            "chaperone {version}\ncommit {commit}\ntarget {target}\nprofile {profile}"
        ))?;
    }
    Ok(exit::DONE)
}

impl Build {
    fn of_this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            // The script that makes releases says it: asking git while compiling would compile anew
            // after each commit, and find none in the sources of a package.
            commit: option_env!("CHAPERONE_COMMIT").unwrap_or("unknown"),
            target: target(),
            profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        }
    }
}

/// The compiler tells a program the parts of its target, and the whole to build scripts alone.
fn target() -> String {
    let system = match std::env::consts::OS {
        "macos" => "apple-darwin",
        "windows" => "pc-windows",
        "linux" => "unknown-linux",
        other => other,
    };
    let library = if cfg!(target_env = "gnu") {
        "-gnu"
    } else if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "msvc") {
        "-msvc"
    } else {
        ""
    };
    format!("{}-{system}{library}", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_members_that_scripts_read() {
        let answer = serde_json::to_value(Build::of_this()).expect("JSON");
        let members: Vec<_> = answer.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["commit", "profile", "target", "version"]);
        assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"));
        let target = answer["target"].as_str().expect("a text");
        assert!(target.starts_with(std::env::consts::ARCH), "{target}");
        assert!(target.matches('-').count() >= 2, "{target}");
    }
}
