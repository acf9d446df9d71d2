//! The program, the system, and what lies in the data directory, by name, size and mode.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::doctor::files;
use crate::paths::Paths;

/// How many files are listed.
const MOST: usize = 500;

pub(super) fn of(paths: &Paths, program: &Path) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "program": program.display().to_string(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "kernel": kernel(),
        "config_file": paths.config_file.display().to_string(),
        "managed_file": paths.managed_file.display().to_string(),
        "data_dir": paths.data_dir.display().to_string(),
        "files": list(&paths.data_dir),
    })
}

/// What lies there, as far as it can be read.
fn list(root: &Path) -> Vec<Value> {
    let mut files = Vec::new();
    let looked = files::each(root, |path, meta| {
        if files.len() < MOST {
            let name = path.strip_prefix(root).unwrap_or(path);
            files.push(json!({"name": name.display().to_string(), "bytes": meta.len(), "mode": mode(meta)}));
        }
    });
    if let Err(error) = looked {
        files.push(json!({"problem": error.to_string()}));
    }
    files
}

#[cfg(unix)]
fn mode(meta: &fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    format!("{:o}", meta.mode())
}

/// Modes are of other systems.
#[cfg(not(unix))]
fn mode(_meta: &fs::Metadata) -> String {
    String::new()
}

#[cfg(unix)]
fn kernel() -> String {
    let name = rustix::system::uname();
    let parts = [name.sysname(), name.release()];
    parts.map(|part| part.to_string_lossy()).join(" ")
}

/// Not told without unsafe code.
#[cfg(not(unix))]
fn kernel() -> String {
    String::new()
}
