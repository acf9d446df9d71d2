//! What the program tells people on standard error, and what it never tells.
//!
//! The libraries below (HTTP, TLS, the keychain's bus) could print headers and bodies, and with them
//! tokens. Whatever level is asked for, they are held to warnings.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// This crate's events, which are written so that they hold no secret.
const OURS: &str = "chaperone";

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is none.
    #[error("CHAPERONE_LOG is no log filter; try warn, info or debug")]
    Filter(#[from] ParseError),
    /// Somebody was quicker.
    #[error("the log is already in use")]
    Taken(#[from] TryInitError),
}

/// Begins to tell; `filter` is a level, or `chaperone::module=level` with commas between.
pub fn start(filter: Option<&str>) -> Result<(), TelemetryError> {
    let filter = capped(filter)?;
    let told = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry()
        .with(filter)
        .with(told)
        .try_init()?;
    Ok(())
}

/// The filter as it was asked for, with everything that is not ours at `warn` at most.
fn capped(filter: Option<&str>) -> Result<Targets, ParseError> {
    let asked: Targets = filter.unwrap_or("warn").parse()?;
    let general = asked.default_level().unwrap_or(LevelFilter::WARN);
    let ours = |target: &str| target == OURS || target.starts_with("chaperone::");
    let named = asked.iter().map(|(target, level)| {
        let cap = if ours(target) {
            LevelFilter::TRACE
        } else {
            LevelFilter::WARN
        };
        (target.to_owned(), level.min(cap))
    });
    Ok(Targets::new()
        .with_default(general.min(LevelFilter::WARN))
        .with_target(OURS, general)
        .with_targets(named))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_are_held_to_warnings_whatever_is_asked() {
        for (asked, ours, theirs) in [
            (None, Level::WARN, Level::WARN),
            (Some("error"), Level::ERROR, Level::ERROR),
            (Some("trace"), Level::TRACE, Level::WARN),
            (
                Some("hyper=trace,reqwest=debug,chaperone=info"),
                Level::INFO,
                Level::WARN,
            ),
            (Some("chaperone::upstream=debug"), Level::WARN, Level::WARN),
        ] {
            let filter = capped(asked).unwrap();
            let most = |target: &str| {
                let levels = [
                    Level::TRACE,
                    Level::DEBUG,
                    Level::INFO,
                    Level::WARN,
                    Level::ERROR,
                ];
                levels
                    .into_iter()
                    .find(|level| filter.would_enable(target, level))
                    .unwrap()
            };
            assert_eq!(most("chaperone::gateway"), ours, "{asked:?}");
            for library in ["hyper::proto", "reqwest::connect", "rustls", "zbus", "h2"] {
                assert_eq!(most(library), theirs, "{asked:?} {library}");
            }
        }
        assert!(capped(Some("=/")).is_err());
    }
}
