//! Where a ledger is: what a flag, a variable or the config file calls it, and what cannot be its name.

/// A ledger's place. It does not print, as a URL may hold a password.
#[derive(Clone)]
pub(crate) enum Place {
    /// The path of an SQLite file.
    File(String),
    /// The URL of a PostgreSQL database.
    Postgres(String),
}

impl Place {
    /// Reads a ledger's name, or says what is wrong with it without repeating it.
    pub(crate) fn parse(name: &str) -> Result<Self, &'static str> {
        match scheme(name).as_deref() {
            _ if name.is_empty() => Err("must not be empty"),
            _ if name.starts_with('~') => Err(NO_TILDE),
            Some("postgres" | "postgresql") => Ok(Place::Postgres(name.to_owned())),
            Some(_) => Err("must be the path of an SQLite file, or postgres://…"),
            None => Ok(Place::File(name.to_owned())),
        }
    }
}

/// Why a path that begins like a home folder is none.
pub(crate) const NO_TILDE: &str =
    "must not begin with ~, which only shells replace: write out the home folder";

/// What stands before `://`, in lower case.
fn scheme(name: &str) -> Option<String> {
    let (scheme, _) = name.split_once("://")?;
    let fits = scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    fits.then(|| scheme.to_ascii_lowercase())
}
