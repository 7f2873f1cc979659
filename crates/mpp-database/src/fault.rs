//! What is the matter with a database when it fails, for whoever has to mend it.

use std::sync::Arc;

use sqlx::migrate::MigrateError;

use crate::BoxError;

/// A database that did not do as it was told. Nothing was changed, but for what was under way when it did not answer in time:
/// that may be written all the same.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{place} {fault}")]
#[non_exhaustive]
pub struct DatabaseError {
    /// Which database: its file, or `in PostgreSQL`.
    pub place: String,
    /// What is the matter with it.
    pub fault: Fault,
    /// What it says itself.
    pub source: Arc<dyn std::error::Error + Send + Sync>,
}

/// What can be the matter with a database, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Another program keeps it locked.
    #[error("is locked by another program; try again when that is done with it")]
    Locked,
    /// It must not be written to.
    #[error("is read-only; make it writable, or use another")]
    ReadOnly,
    /// There is no room for more.
    #[error("cannot be written to; make room on its disk")]
    Full,
    /// It holds what it should not.
    #[error("is damaged or something else; restore it, or move it away and begin a new one")]
    Damaged,
    /// It is of a later version of this library.
    #[error("was written by a newer version; use that version")]
    Newer,
    /// It can't be opened or connected to.
    #[error("cannot be reached; check where it is and who may use it")]
    Unreachable,
    /// Something else.
    #[error("failed")]
    Failed,
}

impl DatabaseError {
    pub(crate) fn new(place: &str, fault: Fault, source: impl Into<BoxError>) -> Self {
        DatabaseError { place: place.to_owned(), fault, source: source.into().into() }
    }

    /// A database that does not answer.
    pub(crate) fn silent(place: &str) -> Self {
        DatabaseError::new(place, Fault::Unreachable, "it did not answer in time")
    }

    pub(crate) fn of(place: &str, error: sqlx::Error) -> Self {
        let fault = Fault::of(&error);
        // sqlx prints a cause of its own accord, and has it as a cause besides.
        let source: BoxError = match error {
            sqlx::Error::Database(error) => error,
            sqlx::Error::Io(error) => error.into(),
            sqlx::Error::Migrate(error) => error,
            error => error.into(),
        };
        DatabaseError::new(place, fault, source)
    }
}

impl Fault {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
        match (error, code.parse::<u32>().map(|code| code & 0xff)) {
            (sqlx::Error::Migrate(error), _) if matches!(**error, MigrateError::VersionMissing(_)) => {
                Fault::Newer
            }
            (sqlx::Error::Migrate(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_), _) => {
                Fault::Damaged
            }
            // PostgreSQL's have five digits, or letters.
            (_, _) if code.len() == 5 => match &*code {
                "55P03" => Fault::Locked,
                "25006" | "42501" => Fault::ReadOnly,
                "53100" => Fault::Full,
                "57P01" | "57P02" | "57P03" | "28P01" | "28000" | "3D000" => Fault::Unreachable,
                _ => Fault::Failed,
            },
            (_, Ok(5 | 6)) => Fault::Locked,
            (_, Ok(8)) => Fault::ReadOnly,
            (_, Ok(13)) => Fault::Full,
            // I/O errors in making the file, or what lies beside it, longer: a limit on it, say.
            (_, Ok(10)) if ["778", "4874"].contains(&&*code) => Fault::Full,
            (_, Ok(11 | 26)) => Fault::Damaged,
            (_, Ok(14)) => Fault::Unreachable,
            (sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Configuration(_), _) => {
                Fault::Unreachable
            }
            _ => Fault::Failed,
        }
    }
}
