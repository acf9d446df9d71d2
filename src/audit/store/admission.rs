//! The rules that only hold inside a transaction: whose session is the current one, and how many
//! intents a person had in the last minute.

use rusqlite::{OptionalExtension as _, params};

use super::failure::Failure;
use super::transaction::{Transaction, number, row_id};
use super::{Done, Rate};
use crate::audit::entry::{self, Draft};
use crate::clock::Uptime;
use crate::limits;
use crate::principal::{Generation, Identity};

impl Transaction<'_> {
    pub(super) fn intent(
        &mut self,
        draft: &Draft,
        session: Generation,
        rate: Option<&Rate>,
    ) -> Result<Done, Failure> {
        if self.short {
            return Ok(Done::NoRoom);
        }
        if self.generation()? != Some((session, true)) {
            return Ok(Done::SessionEnded);
        }
        if let Some(rate) = rate
            && let Err(wait) = self.count(rate)?
        {
            return Ok(Done::RateLimited(wait));
        }
        let process = self.process;
        self.append(draft, Some(process), None).map(Done::Intent)
    }

    /// Counts an intent of this person under this policy, unless there were too many.
    fn count(&self, rate: &Rate) -> Result<Result<(), std::time::Duration>, Failure> {
        let whose = (&rate.person, &rate.policy);
        let last: Option<i64> = self
            .conn
            .prepare_cached("SELECT max(ordinal) FROM rate WHERE person = ?1 AND policy = ?2")?
            .query_row(whose, |row| row.get(0))?;
        let next = last.map_or(0, |last| last + 1);
        let back = self
            .conn
            .prepare_cached(
                "SELECT boot, uptime FROM rate WHERE person = ?1 AND policy = ?2 AND ordinal = ?3",
            )?
            .query_row(
                params![whose.0, whose.1, next - i64::from(rate.limit.per_minute)],
                |row| {
                    Ok(Uptime {
                        boot: row.get(0)?,
                        millis: row.get(1)?,
                    })
                },
            )
            .optional()?;
        if let Err(wait) = limits::fits(back.as_ref(), &self.uptime) {
            return Ok(Err(wait));
        }
        self.conn
            .prepare_cached(
                "INSERT INTO rate (person, policy, ordinal, boot, uptime)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                whose.0,
                whose.1,
                next,
                self.uptime.boot,
                self.uptime.millis
            ])?;
        Ok(Ok(()))
    }

    /// The newest session and whether it is open.
    pub(super) fn generation(&self) -> Result<Option<(Generation, bool)>, Failure> {
        let found = self
            .conn
            .prepare_cached("SELECT generation, active FROM session WHERE one = 1")?
            .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.map(|(generation, active)| (Generation(number(generation)), active)))
    }

    pub(super) fn session(&self) -> Result<Option<(Identity, Generation)>, Failure> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT issuer, subject, email, generation FROM session WHERE one = 1 AND active",
            )?
            .query_row([], |row| {
                let identity = Identity {
                    issuer: row.get(0)?,
                    subject: row.get(1)?,
                    email: row.get(2)?,
                };
                Ok((identity, Generation(number(row.get(3)?))))
            })
            .optional()?;
        Ok(found)
    }

    pub(super) fn begin_session(&mut self, who: &Identity) -> Result<Generation, Failure> {
        let before = self.generation()?.map_or(0, |(generation, _)| generation.0);
        let generation = Generation(before + 1);
        self.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO session (one, generation, issuer, subject, email, active)
                 VALUES (1, ?1, ?2, ?3, ?4, 1)",
            )?
            .execute(params![
                row_id(generation.0),
                who.issuer,
                who.subject,
                who.email
            ])?;
        let draft = entry::session("login", self.device, who, generation);
        self.append(&draft, None, None)?;
        Ok(generation)
    }

    pub(super) fn end_session(&mut self, who: &Identity, of: Generation) -> Result<bool, Failure> {
        if self.generation()? != Some((of, true)) {
            return Ok(false);
        }
        self.conn
            .prepare_cached("UPDATE session SET active = 0 WHERE one = 1")?
            .execute([])?;
        let draft = entry::session("logout", self.device, who, of);
        self.append(&draft, None, None)?;
        Ok(true)
    }
}
