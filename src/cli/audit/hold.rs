//! `chaperone audit hold`: keeps old records from losing their content.

use clap::ValueEnum;

use crate::app::App;
use crate::cli::console::Console;
use crate::cli::failure::{Failure, exit};
use crate::codes::Code;

/// What becomes of the hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Hold {
    /// From now on nothing is pruned.
    On,
    /// Records lose their content again when they are old enough.
    Off,
}

/// Begins or ends a hold, or says whether there is one.
pub async fn run(wanted: Option<Hold>, app: &App, console: &mut Console) -> Result<u8, Failure> {
    app.config.as_ref()?;
    if let Some(wanted) = wanted {
        let held = app.sync.hold(wanted == Hold::On).await;
        held.map_err(|error| Failure::of(Code::DataFailed, &error))?;
    }
    console.say(if app.sync.is_held() {
        "on: records keep their content"
    } else {
        "off: records lose their content when they have been sent and are older than audit.retention"
    })?;
    Ok(exit::DONE)
}
