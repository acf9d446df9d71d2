//! `chaperone audit rotate-key`: signs heads with another key from now on.

use crate::app::App;
use crate::cli::console::Console;
use crate::cli::failure::{Failure, exit};
use crate::codes::Code;

/// Changes the key.
pub async fn run(app: &App, console: &mut Console) -> Result<u8, Failure> {
    app.config.as_ref()?;
    let rotated = app.audit.rotate_key().await;
    rotated.map_err(|error| Failure::of(Code::LogKey, error.as_ref()))?;
    console.say(
        "The log has another key; the change is on record, signed by both. Evidence verifies with the \
         old key and with the new one.\nGive the new one to whoever verifies, and to your witnesses: \
         chaperone audit key",
    )?;
    Ok(exit::DONE)
}
