//! Windows, as Wine is one: a drive of a world's own, and the program that was built for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Now;

use tokio::process::Command;

use super::{World, installed};

/// Started as what it is: the command `wine` is a shell script that may be called otherwise.
const LOADER: &str = "/usr/lib/wine/wine64";

/// A drive on which the account `person` works.
pub struct Wine {
    prefix: PathBuf,
}

impl Wine {
    /// Makes a drive of the one that `tests/run --install` made; what is the same is linked.
    pub(super) fn install(home: &Path) -> Self {
        let prefix = home.join("wine");
        let template = installed("windows/prefix");
        fs::create_dir(&prefix).expect("a directory in the home");
        copy(&["-as", "--"], &template.join("drive_c"), &prefix);
        // Rewritten by the system while it runs.
        for part in [
            "dosdevices",
            "system.reg",
            "user.reg",
            "userdef.reg",
            ".update-timestamp",
        ] {
            copy(&["-a", "--"], &template.join(part), &prefix);
        }
        Self { prefix }
    }

    /// The profile of the account.
    pub fn profile(&self) -> PathBuf {
        self.drive().join("users/person")
    }

    /// Drive C.
    pub fn drive(&self) -> PathBuf {
        self.prefix.join("drive_c")
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.profile()
            .join("AppData/Roaming/chaperone/config/chaperone.toml")
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.profile().join(".chaperone")
    }

    /// The program that was built, or another one, without arguments yet.
    pub(super) fn command(&self, world: &World, other: Option<&Path>) -> Command {
        let mut command = self.system(world);
        command.arg(other.map_or_else(|| installed("windows/chaperone.exe"), Path::to_owned));
        command
    }

    /// Any program of the system, whose name is the first argument.
    pub fn system(&self, world: &World) -> Command {
        let mut command = world.command(LOADER);
        command
            .env("WINEPREFIX", &self.prefix)
            .env("WINEDEBUG", "-all")
            // Else arguments and environment lose their letters on the way to Windows.
            .env("LC_ALL", "C.UTF-8");
        command
    }
}

fn copy(how: &[&str], from: &Path, to: &Path) {
    let copied = Now::new("cp").args(how).arg(from).arg(to).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "{}",
        from.display()
    );
}
