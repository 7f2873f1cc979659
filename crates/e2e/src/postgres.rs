//! A real PostgreSQL server of one's own, on a loopback port, which ends when this process does.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use tokio::sync::OnceCell;

use crate::install;

/// A running server, stopped when dropped; a [`Postgres::shared`] one when this process ends.
pub struct Postgres {
    bin: PathBuf,
    keeper: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that all tests of this process share; about two seconds on first use.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A server of one's own, with the settings PostgreSQL comes with.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server of one's own with these lines in its configuration, such as `fsync = off`.
    pub async fn start_with(settings: &[&str]) -> Self {
        let settings = settings.join("\n");
        let started = tokio::task::spawn_blocking(move || Self::start_blocking(&settings));
        started.await.expect("PostgreSQL did not start")
    }

    /// The URL, password included, of a new and empty database.
    pub async fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let created = tokio::process::Command::new(self.bin.join("createdb"))
            .args(["--host=127.0.0.1", &format!("--port={}", self.port), "--username=postgres", &name])
            .env("PGPASSWORD", PASSWORD)
            .status();
        let created = created.await.is_ok_and(|status| status.success());
        assert!(created, "createdb could not make {name}: see its message above");
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{name}", self.port)
    }

    /// Ends all connections and the server; the databases stay for [`Postgres::restart`].
    pub fn stop(&mut self) {
        assert_eq!(self.order("stop"), "stopped", "PostgreSQL did not stop: see its message above");
    }

    /// Starts a stopped server again, on the same port.
    pub fn restart(&mut self) {
        let order = format!("start {}", self.port);
        assert_eq!(self.order(&order), "ready", "PostgreSQL did not start again: see its message above");
    }

    fn start_blocking(settings: &str) -> Self {
        let bin = programs();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(&bin).args([PASSWORD, settings]);
        // PostgreSQL refuses to run as root. In a group of its own the keeper survives Ctrl-C and clears up.
        if is_root() {
            keeper.uid(NOBODY).gid(NOBODY);
        }
        keeper.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().unwrap_or_else(|error| panic!("cannot run sh: {error}"));
        let orders = keeper.stdin.take();
        let answers = BufReader::new(keeper.stdout.take().expect("standard output is a pipe"));
        let mut server = Self { bin, keeper, orders, answers, port: 0, databases: AtomicU32::new(0) };
        let started = (0..3).any(|_| {
            server.port = free_port();
            server.order(&format!("start {}", server.port)) == "ready"
        });
        assert!(started, "PostgreSQL did not start: see its message above");
        server
    }

    /// One line to the keeper; the line it answers with is empty if it has ended.
    fn order(&mut self, order: &str) -> String {
        // A keeper that has ended closed the pipe, which the missing answer tells as well.
        let _ = self.orders.as_mut().map(|orders| writeln!(orders, "{order}"));
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the keeper answers in text");
        answer.trim_end().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.orders.take());
        // The wait makes "stopped" mean that the port is closed and the data is gone.
        let _ = self.keeper.wait();
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("port", &self.port).finish_non_exhaustive()
    }
}

const PASSWORD: &str = "loopback-only";
const NOBODY: u32 = 65_534;

/// Takes orders from its standard input, and clears up when that closes, which happens however the test ends.
const KEEPER: &str = r#"
set -eu
folder=$(mktemp -d)
log=$folder/log data=$folder/data bin=$1
# The test may end before it hears an answer; that must not skip the clearing up.
trap '' PIPE
trap 'ctl stop --mode=immediate --timeout=60 || :; rm -rf "$folder"' EXIT
failed() { cat "$log" >&2; echo failed; }
ctl() { "$bin/pg_ctl" --silent --wait --pgdata="$data" "$@" >>"$log" 2>&1; }
printf %s "$2" >"$folder/password"
"$bin/initdb" --pgdata="$data" --username=postgres --auth=scram-sha-256 --pwfile="$folder/password" \
    --encoding=UTF8 --locale=C --no-sync >"$log" 2>&1 || { failed; exit 1; }
printf '%s\n' "listen_addresses = '127.0.0.1'" "unix_socket_directories = ''" "$3" >>"$data/postgresql.conf"
while read -r order port; do
    case $order in
    start) if ctl start --log="$log" --options="-p $port"; then echo ready; else failed; fi ;;
    stop) if ctl stop --mode=fast --timeout=60; then echo stopped; else failed; fi ;;
    esac
done
"#;

/// A port below those the system hands out itself, so that nobody takes it while the server is stopped.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes started one after the other begin sixteen ports apart.
    let first = u16::try_from(process::id() % 750).unwrap_or(0) * 16;
    let mut ports = (0..12_000).map(|_| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.find(free).expect("a loopback port is free")
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// The folder of PostgreSQL's programs; Debian's package is installed if there is none and this is root.
fn programs() -> PathBuf {
    if let Some(bin) = find() {
        return bin;
    }
    assert!(is_root(), "{MISSING}");
    let path = install::target_folder().join("e2e-postgres.lock");
    let lock = File::create(&path).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.unwrap_or_else(|error| panic!("cannot lock {}: {error}", path.display()));
    if find().is_none() {
        for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends", "postgresql"]] {
            let mut apt = Command::new("apt-get");
            let done = apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
            assert!(done.is_ok_and(|status| status.success()), "apt-get failed: {MISSING}");
        }
    }
    find().expect(MISSING)
}

const MISSING: &str = "no PostgreSQL: install it, with initdb on PATH or in /usr/lib/postgresql/*/bin";

/// Where `initdb` is on PATH, links followed, or else where Debian keeps it.
fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let initdb =
        env::split_paths(&path).chain(debian).find_map(|bin| fs::canonicalize(bin.join("initdb")).ok());
    initdb.and_then(|initdb| initdb.parent().map(PathBuf::from))
}
