//! The record: whether the log is what was written, where it lies, and how far it has been sent.

use std::error::Error;
use std::path::PathBuf;

use super::repair::Repair;
use super::{Check, State, disk, leftovers, silence, within};
use crate::app::App;
use crate::audit;
use crate::audit::glance::{Glance, glance};
use crate::audit::mark;
use crate::audit::verify::{Verdict, VerifyRequest, verify};
use crate::audit::way_back;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::codes::Code;
use crate::format::Newer;
use crate::sync::{Lag, Sight, Size};
use crate::wording::chain;

/// Records that wait for longer are worth a look: every host sends while it runs.
const LONG: u64 = 24 * 3600;
const KEEP: &str = "keep the file as it is and run `chaperone audit verify`";

pub(super) async fn look(app: &App, deep: bool) -> Vec<Check> {
    let paths = app.paths.clone();
    let disks = app.tasks.blocking(move || {
        [
            disk::private(&paths),
            leftovers::look(&paths),
            disk::local(&paths),
            disk::room(&paths),
        ]
    });
    let sync = app.sync.clone();
    let sent = app.tasks.blocking(move || (sync.lags(), sync.sights()));
    let (disks, log, sent) = tokio::join!(within(disks), log(app, deep), within(sent));
    let is_readable = log.state <= State::Warning;
    let mut checks = disks.map_or_else(
        || {
            let detail = format!("{}: {}", app.paths.data_dir.display(), silence());
            vec![Check::failed(
                "log.disk",
                Code::LogDisk,
                &detail,
                "look at that disk",
            )]
        },
        Vec::from,
    );
    checks.push(log);
    if let (Some((lags, sights)), true) = (sent, is_readable) {
        let now = SystemClock::new().now();
        checks.extend(lags.iter().map(|lag| lagging(lag, now)));
        checks.extend(sights.iter().map(seen));
    }
    checks
}

async fn log(app: &App, deep: bool) -> Check {
    const ID: &str = "log.intact";
    let path = app.paths.audit_db();
    if !path.exists() {
        return Check::ok(ID, "there is no log yet");
    }
    let paths = app.paths.clone();
    // What takes too long is looked at as far as it goes.
    let _settled = within(app.tasks.blocking(move || audit::settle(&paths))).await;
    let secrets = std::sync::Arc::clone(&app.keychain);
    let mark = within(app.tasks.blocking(move || mark::read(&*secrets))).await;
    let mark = mark.and_then(Result::ok).flatten();
    if deep {
        return whole(app, path, mark.and_then(|mark| mark.checkpoint())).await;
    }
    let looked = app.tasks.blocking(move || glance(&path, mark.as_ref()));
    match within(looked).await {
        None => Check::failed(ID, Code::LogUnreadable, &silence(), "look at that disk"),
        Some(Err(error)) if error.is_damage() => {
            Check::failed(ID, Code::LogDamaged, &chain(&error), KEEP)
        }
        Some(Err(error)) if Newer::is_behind(&error) => taken_over(ID, &error, app),
        Some(Err(error)) => {
            let fix = "chaperone status names the file";
            Check::failed(ID, Code::LogUnreadable, &chain(&error), fix)
        }
        Some(Ok(found)) => looked_at(&found),
    }
}

fn looked_at(found: &Glance) -> Check {
    const ID: &str = "log.intact";
    if let Some(wrong) = &found.wrong {
        return Check::failed(ID, Code::LogDamaged, &wrong.to_string(), KEEP);
    }
    let (records, signed) = (found.records, found.signed);
    let detail = format!(
        "{records} records, {signed} under a signed head; the newest are what was written (--deep \
         reads all)"
    );
    Check::ok(ID, &detail)
}

/// Reads everything, however long that takes: somebody asked for it.
fn taken_over(id: &str, why: &dyn Error, app: &App) -> Check {
    let fix = way_back(&app.paths.audit_db());
    Check::failed(id, Code::VersionNewer, &chain(why), &fix)
}

async fn whole(app: &App, database: PathBuf, mark: Option<audit::checkpoint::Checkpoint>) -> Check {
    const ID: &str = "log.intact";
    let request = VerifyRequest {
        database,
        key: None,
        head: None,
        mark,
        witnesses: Vec::new(),
    };
    match app.tasks.blocking(move || verify(&request)).await {
        Err(error) if Newer::is_behind(&error) => taken_over(ID, &error, app),
        Err(error) => Check::failed(ID, Code::LogUnreadable, &chain(&error), KEEP),
        Ok(report) => {
            let told = report.to_string();
            let told = told.lines().next().unwrap_or_default();
            match report.verdict {
                Verdict::Intact => Check::ok(ID, told),
                // As it is while processes write in durability `process`.
                Verdict::Unproven => Check::note(ID, told),
                Verdict::Changed => Check::failed(ID, Code::LogDamaged, told, KEEP),
            }
        }
    }
}

fn lagging(lag: &Lag, now: Timestamp) -> Check {
    let id = format!("sync.{}", lag.sink);
    let fix = "chaperone sync --now";
    let size = Size(lag.waiting_bytes);
    let mut detail = match (lag.waiting, &lag.waiting_since) {
        (0, _) => format!("{} records sent, none waits", lag.sent),
        (waiting, Some(since)) => format!("{waiting} records ({size}) wait since {since}"),
        (waiting, None) => format!("{waiting} records ({size}) wait"),
    };
    if let Some(problem) = &lag.problem {
        detail = format!("{detail}: {problem}");
    }
    let since = lag.waiting_since.as_deref();
    let since = since.and_then(|since| Timestamp::parse(since).ok());
    let is_late = since.is_some_and(|since| now.since(since).as_secs() > LONG);
    let send = Repair::Send(lag.sink.clone());
    if lag.over_limit {
        let detail = format!("{detail}; calls that may change something are refused");
        Check::failed(&id, Code::SpoolFull, &detail, fix).repaired_by(send)
    } else if lag.problem.is_some() || is_late {
        Check::warning(&id, Code::SyncBehind, &detail, fix).repaired_by(send)
    } else {
        Check::ok(&id, &detail)
    }
}

fn seen(sight: &Sight) -> Check {
    let id = format!("witness.{}", sight.witness);
    let detail = match &sight.time {
        Some(time) => format!("{} records cosigned at {time}", sight.seen),
        None => "nothing cosigned yet".to_owned(),
    };
    match &sight.problem {
        Some(problem) => {
            let detail = format!("{detail}: {problem}");
            Check::warning(&id, Code::Witness, &detail, "chaperone sync --now")
        }
        None => Check::ok(&id, &detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_behind_by_its_problem_or_its_age() {
        let now = Timestamp::parse("2026-01-03T00:00:00Z").unwrap();
        let check = |waiting, since: Option<&str>, problem: Option<&str>, over_limit| {
            let lag = Lag {
                sink: "siem".into(),
                kind: "otlp",
                to: "https://x".into(),
                sent: 5,
                waiting,
                waiting_bytes: 10,
                waiting_since: since.map(Into::into),
                taken: None,
                problem: problem.map(Into::into),
                over_limit,
            };
            let found = lagging(&lag, now);
            assert_eq!(&*found.id, "sync.siem");
            assert_eq!(found.repair.is_some(), found.state > State::Ok);
            (found.state, found.code)
        };
        assert_eq!(check(0, None, None, false), (State::Ok, None));
        let fresh = Some("2026-01-02T23:59:00Z");
        assert_eq!(check(3, fresh, None, false), (State::Ok, None));
        let behind = (State::Warning, Some(Code::SyncBehind));
        assert_eq!(check(3, Some("2026-01-01T00:00:00Z"), None, false), behind);
        assert_eq!(check(3, fresh, Some("HTTP 503"), false), behind);
        let full = (State::Failed, Some(Code::SpoolFull));
        assert_eq!(check(3, fresh, None, true), full);
    }
}
