//! Whether this machine's clock agrees with others': each peer says the time in its answers.

use std::sync::Arc;
use std::time::Duration;

use http::header::DATE;
use url::Url;

use super::{Check, silence, within};
use crate::app::App;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::codes::Code;
use crate::upstream::{Http, plainly};
use crate::wording::chain;

/// A difference that tokens do not survive everywhere.
const WARNED: i64 = 60_000;
/// A difference that hardly any token survives: the usual leeway is five minutes at most.
const FAILED: i64 = 300_000;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(8);

/// Somebody on the network, as he answered a request that asks for nothing.
#[derive(Debug)]
pub(super) struct Peer {
    /// What he is called.
    pub(super) name: Box<str>,
    /// The status of the answer, or why there is none.
    pub(super) answer: Result<u16, Box<str>>,
    /// How far his clock is ahead of this one, in milliseconds.
    pub(super) ahead: Option<i64>,
}

/// Asks for the head of an address, without a token and without following anything.
pub(super) async fn ask(app: &App, http: &Http, name: Box<str>, url: Url) -> Arc<Peer> {
    let asked = async {
        let client = http.client_for(&url, CONNECT, &app.tasks).await;
        let client = client.map_err(|error| chain(&error))?;
        let clock = SystemClock::new();
        let before = clock.now();
        let answer = client.head(url).send().await.map_err(|error| {
            let error = error.without_url();
            plainly(&error).unwrap_or_else(|| chain(&error))
        })?;
        let date = answer.headers().get(DATE);
        let date = date.and_then(|date| Timestamp::parse_http(date.to_str().ok()?).ok());
        let ahead = date.map(|date| ahead(date, before, clock.now()));
        Ok((answer.status().as_u16(), ahead))
    };
    let (answer, ahead) = match within(asked).await {
        Some(Ok((status, ahead))) => (Ok(status), ahead),
        Some(Err(why)) => (Err(String::into_boxed_str(why)), None),
        None => (Err(silence().into()), None),
    };
    Arc::new(Peer {
        name,
        answer,
        ahead,
    })
}

/// How far a date of whole seconds, made between two moments, is ahead of them; nothing where it may
/// be of that time.
fn ahead(date: Timestamp, before: Timestamp, after: Timestamp) -> i64 {
    let (earliest, latest) = (before.millis() - 1000, after.millis());
    match date.millis() {
        date if date < earliest => date - earliest,
        date if date > latest => date - latest,
        _ => 0,
    }
}

/// Compares. Where most differ, it is this clock that is wrong.
pub(super) fn check(peers: &[Arc<Peer>]) -> Check {
    const ID: &str = "clock.skew";
    let told: Vec<(&str, i64)> = peers
        .iter()
        .filter_map(|peer| Some((&*peer.name, peer.ahead?)))
        .collect();
    if told.is_empty() {
        return Check::skipped(ID, "nobody who could be asked for the time answers");
    }
    let off: Vec<&(&str, i64)> = told
        .iter()
        .filter(|(_, ahead)| ahead.abs() > WARNED)
        .collect();
    let Some((_, most)) = off.iter().max_by_key(|(_, ahead)| ahead.abs()) else {
        let most = told.iter().map(|(_, ahead)| ahead.abs()).max().unwrap_or(0);
        let seconds = most / 1000;
        return Check::ok(
            ID,
            &format!("{} clocks agree within {} s", told.len() + 1, seconds + 1),
        );
    };
    if off.len() * 2 <= told.len() {
        let names: Vec<String> = off
            .iter()
            .map(|(name, ahead)| format!("{name} is {}", apart(*ahead)))
            .collect();
        let fix = "tell whoever runs it: tokens look expired there, or not yet valid";
        return Check::warning(ID, Code::ClockSkew, &names.join(", "), fix);
    }
    let detail = format!("this machine's clock is {}", apart(-most));
    let fix = "turn automatic time on (timedatectl set-ntp true, or the settings of date and time)";
    if most.abs() > FAILED {
        Check::failed(ID, Code::ClockSkew, &detail, fix)
    } else {
        Check::warning(ID, Code::ClockSkew, &detail, fix)
    }
}

fn apart(ahead: i64) -> String {
    let seconds = ahead.unsigned_abs() / 1000;
    let which = if ahead > 0 { "ahead" } else { "behind" };
    match seconds {
        0..120 => format!("{seconds} s {which}"),
        _ => format!("{} min {which}", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_clock_is_wrong_if_most_others_say_so() {
        let state = |aheads: &[Option<i64>]| {
            let peers = aheads.iter().map(|ahead| {
                Arc::new(Peer {
                    name: "x".into(),
                    answer: Ok(200),
                    ahead: *ahead,
                })
            });
            let check = check(&peers.collect::<Vec<_>>());
            (check.state, check.detail)
        };
        assert_eq!(state(&[None]).0, State::Skipped);
        assert_eq!(state(&[Some(0), Some(-2000)]).0, State::Ok);
        let (found, detail) = state(&[Some(0), Some(3_600_000)]);
        assert_eq!(found, State::Warning);
        assert_eq!(&*detail, "x is 60 min ahead");
        let (found, detail) = state(&[Some(90_000), Some(90_000), Some(0)]);
        assert_eq!(found, State::Warning);
        assert_eq!(&*detail, "this machine's clock is 90 s behind");
        assert_eq!(state(&[Some(-400_000)]).0, State::Failed);
    }

    #[test]
    fn whole_seconds_and_the_way_of_an_answer_are_no_difference() {
        let at = Timestamp::from_millis;
        assert_eq!(ahead(at(10_000), at(10_900), at(11_500)), 0);
        assert_eq!(ahead(at(11_000), at(10_900), at(11_500)), 0);
        assert_eq!(ahead(at(9_000), at(10_900), at(11_500)), -900);
        assert_eq!(ahead(at(20_000), at(10_900), at(11_500)), 8_500);
    }
}
