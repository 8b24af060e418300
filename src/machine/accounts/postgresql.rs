//! PostgreSQL's accounts: a role and a database of the same name, which is the user's alone. By `psql` in its container, whose socket lets the
//! administrator in without a password (the official image's `pg_hba.conf`); what it is told goes by standard input.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::somebody_elses;
use crate::error::Failure;
use crate::machine::docker::{Ended, Engine};
use crate::platform::accounts::Account;
use crate::spec::names::UserName;

/// The comment on roles that are ours.
const OURS: &str = "dtaas-user";
/// The lock that whoever changes accounts holds, until the connection ends: a number that nothing else uses.
const LOCK: u32 = 0x6474_6161;
/// How long it may take to recover before it lets anybody in.
const TO_RECOVER: Duration = Duration::from_secs(180);
/// How often it is asked whether it has.
const LOOK: Duration = Duration::from_millis(200);
/// As PostgreSQL's own default (`scram_iterations`).
const ITERATIONS: u32 = 4096;

/// Its interface.
pub(super) struct PostgreSql<'a> {
    pub(super) engine: &'a Engine,
    pub(super) container: &'a str,
    pub(super) administrator: &'a str,
}

impl PostgreSql<'_> {
    /// The accounts that are ours, and what of them differs.
    pub(super) async fn look(
        &self,
        wanted: &BTreeMap<UserName, Account>,
    ) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
        let question = format!(
            "select r.rolname, coalesce(r.rolpassword, ''), r.rolcanlogin, \
             r.rolsuper or r.rolcreatedb or r.rolcreaterole or r.rolreplication or r.rolbypassrls, coalesce(d.datdba = r.oid, false), \
             exists (select from pg_database o where o.datname in (r.rolname, 'postgres', 'template1') \
             and has_database_privilege('public', o.oid, 'connect')) \
             from pg_authid r left join pg_database d on d.datname = r.rolname \
             where shobj_description(r.oid, 'pg_authid') = '{OURS}';"
        );
        let rows = self.ask(&question).await?;
        rows.lines()
            .map(|line| {
                let [name, password, may_log_in, rights, database, open] =
                    line.split('\t').collect::<Vec<_>>()[..]
                else {
                    anyhow::bail!(
                        "{} answers with something else than it should",
                        self.container
                    );
                };
                let account = wanted.iter().find(|(known, _)| known.as_str() == name);
                let differs = account.map(|(_, account)| {
                    let parts = [
                        (
                            "password",
                            !is_verifier_of(password, account.password.expose()),
                        ),
                        ("log-in", (may_log_in == "t") != account.open),
                        ("rights", rights == "t"),
                        ("database", database != "t"),
                        ("privileges", open == "t"),
                    ];
                    let parts = parts.into_iter().filter(|(_, differs)| *differs);
                    parts.map(|(part, _)| part.to_owned()).collect()
                });
                Ok((name.to_owned(), differs.unwrap_or_default()))
            })
            .collect()
    }

    /// Makes an account, or sets right what differs of it. Who was in with another password, or may not be any more, is put out.
    pub(super) async fn give(
        &self,
        name: &UserName,
        account: &Account,
        differs: Option<&[String]>,
    ) -> anyhow::Result<()> {
        if name.as_str() == self.administrator || name.as_str().starts_with("pg_") {
            return Err(Failure::new(format!(
                "{}: {name} is a role of PostgreSQL's own, and no user can have it",
                self.container
            ))
            .hint("give the user another name, or the service another POSTGRES_USER and fresh data")
            .into());
        }
        if differs.is_none() {
            self.require_free(name).await?;
        }
        let may = match account.open {
            true => "login",
            false => "nologin",
        };
        let verifier = verifier(account.password.expose(), &rand::random());
        // Users are given theirs side by side, and two that change the rights at one database at once fail ("tuple concurrently updated").
        let mut text = format!(
            "select pg_advisory_lock({LOCK}) \\g /dev/null\n\
             begin;\n\
             select 'create role \"{name}\"' where not exists (select from pg_roles where rolname = '{name}') \\gexec\n\
             comment on role \"{name}\" is '{OURS}';\n\
             commit;\n\
             alter role \"{name}\" {may} password '{verifier}' nosuperuser nocreatedb nocreaterole noreplication nobypassrls;\n\
             select 'create database \"{name}\" owner \"{name}\"' where not exists (select from pg_database where datname = '{name}') \\gexec\n\
             alter database \"{name}\" owner to \"{name}\";\n\
             revoke all on database \"{name}\", postgres, template1 from public;\n"
        );
        if differs
            .into_iter()
            .flatten()
            .any(|part| part == "password" || part == "log-in")
        {
            text += &put_out(name.as_str());
        }
        self.ask(&text).await.map(|_| ())
    }

    /// Fails where the name is somebody else's. A role of ours bears its mark from the moment that it is there, and is there before its
    /// database.
    async fn require_free(&self, name: &UserName) -> anyhow::Result<()> {
        let question = format!(
            "select exists (select from pg_roles where rolname = '{name}'), exists (select from pg_database where datname = '{name}');"
        );
        let taken = |what| Err(somebody_elses(self.container, what, name.as_str()));
        match self.ask(&question).await?.trim().split_once('\t') {
            Some(("f", "f")) => Ok(()),
            Some(("f", _)) => taken("a database"),
            Some(_) | None => taken("a role"),
        }
    }

    /// Removes an account and all that is in its database.
    pub(super) async fn take(&self, name: &str) -> anyhow::Result<()> {
        let text = format!(
            "alter role \"{name}\" nologin;\n{}drop database if exists \"{name}\" with (force);\ndrop role if exists \"{name}\";\n",
            put_out(name)
        );
        self.ask(&text).await.map(|_| ())
    }

    async fn ask(&self, text: &str) -> anyhow::Result<String> {
        let argv = [
            "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-F",
            "\t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            self.administrator,
            "-d",
            "postgres",
        ];
        let begun = Instant::now();
        let ended = loop {
            let ended = self.engine.run_in(self.container, &argv, text).await?;
            if !is_starting(&ended) || begun.elapsed() > TO_RECOVER {
                break ended;
            }
            tokio::time::sleep(LOOK).await;
        };
        match ended.code {
            0 => Ok(ended.out),
            _ => {
                let said: String = ended.err.chars().take(300).collect();
                Err(
                    Failure::new(format!("{}: psql failed: {}", self.container, said.trim()))
                        .hint(format!(
                            "try it there: docker exec -it {} psql -U {}",
                            self.container, self.administrator
                        ))
                        .into(),
                )
            }
        }
    }
}

/// Whether it listens and lets nobody in yet: it recovers, after a power failure or from a backup.
fn is_starting(ended: &Ended) -> bool {
    let said = [
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is not yet accepting connections",
    ];
    ended.code != 0 && said.iter().any(|said| ended.err.contains(said))
}

fn put_out(name: &str) -> String {
    format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = '{name}' \\g /dev/null\n"
    )
}

/// What PostgreSQL keeps of a password (RFC 5803, SCRAM-SHA-256): so the password itself is never told.
fn verifier(password: &str, salt: &[u8; 16]) -> String {
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, ITERATIONS, &mut salted);
    let keyed = |text: &str| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&salted) else {
            unreachable!("HMAC takes keys of any length")
        };
        mac.update(text.as_bytes());
        mac.finalize().into_bytes()
    };
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(Sha256::digest(keyed("Client Key"))),
        STANDARD.encode(keyed("Server Key"))
    )
}

fn is_verifier_of(text: &str, password: &str) -> bool {
    let salt = text
        .strip_prefix(&format!("SCRAM-SHA-256${ITERATIONS}:"))
        .and_then(|rest| rest.split('$').next())
        .and_then(|salt| STANDARD.decode(salt).ok()?.try_into().ok());
    salt.is_some_and(|salt: [u8; 16]| verifier(password, &salt) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_what_postgresql_keeps() {
        // RFC 7677's example: user "user", password "pencil", 4096 iterations; the keys are those its messages are made with.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let text = verifier("pencil", &salt.try_into().unwrap());
        assert_eq!(
            text,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
        assert!(is_verifier_of(&text, "pencil"));
        assert!(!is_verifier_of(&text, "pen"));
        assert!(!is_verifier_of("", "pencil"));
    }
}
