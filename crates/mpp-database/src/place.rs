//! Where a database is and who may read it.

use sqlx::any::AnyConnectOptions;

#[cfg(feature = "sqlite")]
use crate::{BoxError, DatabaseError, Fault};

/// The URL of an SQLite file, which is made if it is not there, and what to call it.
#[cfg(feature = "sqlite")]
pub(crate) fn of_file(path: &std::path::Path) -> Result<(String, String), DatabaseError> {
    let place = path.display().to_string();
    let fail = |source: BoxError| DatabaseError::new(&place, Fault::Unreachable, source);
    // Some relative names mean something to SQLite, such as `:memory:`.
    let path = std::path::absolute(path).map_err(|error| fail(error.into()))?;
    let text = path.to_str().ok_or_else(|| fail("its path is not UTF-8".into()))?;
    make_private(&path).map_err(|error| fail(error.into()))?;
    // The slashes too, as a URL would resolve a path's dots.
    let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    Ok((format!("sqlite:{escaped}?mode=rw"), place))
}

/// Refuses to write into another program's file.
pub(crate) async fn check_empty(connection: &mut sqlx::AnyConnection) -> Result<(), sqlx::Error> {
    let tables = sqlx::query_scalar::<_, String>("SELECT name FROM sqlite_master WHERE type = 'table'");
    let tables = tables.fetch_all(connection).await?;
    match tables.is_empty() || tables.iter().any(|table| table == "_sqlx_migrations") {
        true => Ok(()),
        false => Err(sqlx::Error::Decode("it holds the tables of something else".into())),
    }
}

/// Makes the file, if there is none, for its owner alone: it holds signed transactions.
#[cfg(feature = "sqlite")]
fn make_private(path: &std::path::Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Without an `sslmode`, other machines are reached over TLS with a certificate that is checked.
pub(crate) fn private(mut options: AnyConnectOptions) -> AnyConnectOptions {
    let url = &mut options.database_url;
    if !url.scheme().starts_with("postgres") || std::env::var_os("PGSSLMODE").is_some() {
        return options;
    }
    let named = |names: &[&str]| -> Vec<String> {
        let pairs = url.query_pairs().filter(|(name, _)| names.contains(&&**name));
        pairs.map(|(_, value)| value.into_owned()).collect()
    };
    let mut hosts = named(&["host", "hostaddr"]);
    if hosts.is_empty() {
        hosts.extend(url.host_str().filter(|host| !host.is_empty()).map(str::to_owned));
    }
    if hosts.is_empty() {
        hosts.extend(["PGHOST", "PGHOSTADDR"].into_iter().filter_map(|name| std::env::var(name).ok()));
    }
    if named(&["sslmode", "ssl-mode"]).is_empty() && !hosts.iter().all(|host| is_here(host)) {
        url.query_pairs_mut().append_pair("sslmode", "verify-full");
    }
    options
}

/// Whether a host is this machine: a folder with a socket, or a loopback address.
fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.starts_with('/')
        || host.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2f"))
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_reached_by_tls_with_a_certificate_that_is_checked() {
        let url = |text: &str| private(text.parse().expect("a URL")).database_url.to_string();
        for away in [
            "postgres://u:p@db.example/d",
            "postgres://u:p@10.1.2.3/d",
            "postgres://u:p@localhost/d?host=db.example",
            "postgres:///d?hostaddr=10.1.2.3",
            "postgresql://localhost.example/d",
        ] {
            assert!(url(away).ends_with("sslmode=verify-full"), "{}", url(away));
        }
        for here in [
            "postgres://u:p@127.0.0.1/d",
            "postgres://u:p@[::1]/d",
            "postgres://localhost/d",
            "postgres://u@%2Fvar%2Frun/d",
            "postgres:///d?host=/run/postgresql",
            "postgres://db.example/d?sslmode=disable",
        ] {
            assert!(!url(here).contains("verify-full"), "{}", url(here));
        }
    }
}
