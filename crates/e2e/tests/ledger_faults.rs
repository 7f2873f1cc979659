//! Ledgers that cannot be written to: each says so once, names the place and what to do, and no payment leaves that is not
//! written down.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use e2e::books::Terms;
use e2e::{CHAIN_ID, Customer, PATH_USD, PAYER, Postgres, Reply, ScriptedServer};
use mpp_core::{Amount, Policy};
use mpp_database::Fault;
use mpp_http::ledger::{
    Budget, Currency, Ledger, LedgerError, LedgerFuture, MemoryLedger, Scope, Slots, SqlLedger, State, Step,
};
use mpp_http::{Error, Failure, Money, Payment};
use sqlx::{AnyConnection, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::sync::Mutex;

const NOW: u64 = 1_800_000_000;

#[tokio::test]
async fn file_that_is_no_ledger_is_refused_and_left_alone() {
    let place = Place::new();
    let noise: Vec<u8> = (0..20_000_u32).map(|byte| u8::try_from(byte * 7 % 251).unwrap()).collect();
    std::fs::write(place.file(), &noise).unwrap();
    place.assert_refused(Fault::Damaged, "move it away").await;
    assert_eq!(std::fs::read(place.file()).unwrap(), noise);
}

#[tokio::test]
async fn truncated_ledger_is_refused() {
    let place = Place::new();
    let ledger = place.open().await.unwrap();
    for _ in 0..50 {
        ledger.reserve(Terms::cent(NOW).attempt().payment, &Budget::new()).await.unwrap();
    }
    drop(ledger);
    place.by_hand("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let file = std::fs::OpenOptions::new().write(true).open(place.file()).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    place.assert_refused(Fault::Damaged, "restore it").await;
}

#[tokio::test]
async fn ledger_of_a_newer_version_is_refused() {
    let place = Place::new();
    drop(place.open().await.unwrap());
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (2, 'of tomorrow', true, x'00', 0)";
    place.by_hand(newer).await;
    place.assert_refused(Fault::Newer, "newer version").await;
}

#[tokio::test]
async fn another_program_s_database_is_refused_and_left_alone() {
    let place = Place::new();
    drop(place.open().await.unwrap());
    place
        .by_hand("DROP TABLE _sqlx_migrations; DROP TABLE totals; ALTER TABLE payments RENAME TO notes")
        .await;
    let before = std::fs::read(place.file()).unwrap();
    place.assert_refused(Fault::Damaged, "something else").await;
    assert_eq!(std::fs::read(place.file()).unwrap(), before);
}

/// Relative names are of the folder the process is in, so the test begins again in another.
#[tokio::test]
async fn names_that_mean_something_to_sqlite_are_files() {
    const NAME: &str = "names_that_mean_something_to_sqlite_are_files";
    let names = [":memory:", "file:x?mode=memory", "file::memory:?cache=shared"];
    if std::env::var_os("ELSEWHERE").is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output =
            child.args(["--exact", NAME]).env("ELSEWHERE", "yes").current_dir(folder.path()).output();
        let output = output.unwrap();
        return assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    for name in names {
        for payments in 1..=2 {
            let ledger = SqlLedger::sqlite(name).await.unwrap();
            let kept = ledger.reserve(Terms::cent(NOW).attempt().payment, &Budget::new()).await.unwrap();
            assert_eq!(kept.id(), payments, "{name} forgot");
        }
    }
}

#[tokio::test]
async fn ledger_in_no_folder_is_refused() {
    let place = Place::new();
    std::fs::write(place.folder.path().join("a file"), "").unwrap();
    for name in ["absent/ledger.sqlite", "a file/ledger.sqlite"] {
        let error = SqlLedger::sqlite(place.folder.path().join(name)).await.unwrap_err();
        assert_store(&error, Fault::Unreachable, name);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn new_ledger_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let ledger = place.open().await.unwrap();
    ledger.reserve(Terms::cent(NOW).attempt().payment, &Budget::new()).await.unwrap();
    for entry in std::fs::read_dir(place.folder.path()).unwrap() {
        let mode = entry.as_ref().unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{entry:?}");
    }
}

/// Root may write anything, so the test begins again as somebody else.
#[cfg(unix)]
#[tokio::test]
async fn read_only_ledger_signs_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    const NAME: &str = "read_only_ledger_signs_nothing";
    if let Some(folder) = std::env::var_os("READ_ONLY") {
        let error = match SqlLedger::sqlite(PathBuf::from(folder).join("ledger.sqlite")).await {
            Ok(ledger) => {
                ledger.reserve(Terms::cent(NOW).attempt().payment, &Budget::new()).await.unwrap_err()
            }
            Err(error) => error,
        };
        return assert_store(&error, Fault::ReadOnly, "ledger.sqlite");
    }
    let place = Place::new();
    drop(place.open().await.unwrap());
    let mode = std::fs::Permissions::from_mode;
    std::fs::set_permissions(place.file(), mode(0o444)).unwrap();
    std::fs::set_permissions(place.folder.path(), mode(0o555)).unwrap();
    // Another user may not be able to reach the program either, where it lies.
    let copy = tempfile::tempdir().unwrap();
    std::fs::set_permissions(copy.path(), mode(0o755)).unwrap();
    let program = copy.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = std::process::Command::new(&program);
    child.args(["--exact", NAME]).env("READ_ONLY", place.folder.path()).current_dir("/");
    if std::fs::metadata("/proc/self").is_ok_and(|owner| std::os::unix::fs::MetadataExt::uid(&owner) == 0) {
        child.uid(65_534).gid(65_534);
    }
    let output = child.output().unwrap();
    std::fs::set_permissions(place.folder.path(), mode(0o755)).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn locked_ledger_signs_nothing() {
    let place = Place::new();
    let ledger = place.open().await.unwrap();
    let mut other = place.connection().await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let shop = Shop::open(ledger).await;
    let error = shop.buy().await.unwrap_err();
    let Error::Ledger(fault) = &error else { panic!("{error:?}") };
    assert_store(fault, Fault::Locked, "ledger.sqlite");
    assert_eq!(place.open().await.unwrap().payments(None, 9, false).await.unwrap(), [], "it can be read");
    assert_eq!((error.money(), shop.signatures_and_requests()), (Money::NotMoved, [0, 1]));
    // And is as good as new when it is let go.
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(shop.buy().await.unwrap(), State::Delivered);
}

#[tokio::test]
async fn database_that_goes_away_after_the_reservation_sends_nothing() {
    let server = Arc::new(Mutex::new(Postgres::start().await));
    let url = server.lock().await.database().await;
    let ledger = Arc::new(SqlLedger::postgres(&url).await.unwrap());
    let fickle = Fickle { ledger: Arc::clone(&ledger), server: Arc::clone(&server) };
    let shop = Shop::open(fickle).await;
    let error = shop.buy().await.unwrap_err();
    let Error::AfterSigning { failure: Failure::Ledger(fault), .. } = &error else { panic!("{error:?}") };
    assert_store(fault, Fault::Unreachable, "in PostgreSQL");
    assert_eq!((error.money(), shop.signatures_and_requests()), (Money::NotMoved, [1, 1]));

    // What is there when it is back was never sent, and the same ledger goes on.
    server.lock().await.restart();
    let [kept] = &ledger.payments(None, 9, false).await.unwrap()[..] else { panic!("not one payment") };
    assert_eq!((kept.state(), kept.money(), kept.transaction()), (State::Reserved, Money::NotMoved, None));
}

#[tokio::test]
async fn database_that_is_not_there_is_refused_without_its_password() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = SqlLedger::postgres(&format!("postgres://mpp:hunter2@{dead}/books")).await.unwrap_err();
    assert_store(&error, Fault::Unreachable, "in PostgreSQL");
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    let error = SqlLedger::postgres("postgres://mpp:hunter2@[").await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn ledger_that_fails_after_the_payment_loses_neither_answer_nor_payment() {
    let memory = Arc::new(MemoryLedger::new());
    let shop = Shop::open(Forgetful(Arc::clone(&memory))).await;
    assert_eq!(shop.buy().await.unwrap(), State::Delivered);
    let kept = memory.payment(1).await.unwrap().unwrap();
    assert_eq!((kept.state(), kept.money()), (State::Sent, Money::Unknown), "it is there to be reconciled");
}

#[tokio::test]
async fn clock_that_was_set_back_signs_nothing() {
    let memory = Arc::new(MemoryLedger::new());
    let later = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 100_000;
    memory.reserve(Terms::cent(later).attempt().payment, &Budget::new()).await.unwrap();
    let shop = Shop::open(memory).await;
    let error = shop.buy().await.unwrap_err();
    assert!(
        matches!(&error, Error::Ledger(LedgerError::Clock { newest, .. }) if *newest == later),
        "{error:?}"
    );
    assert_eq!((error.money(), shop.signatures_and_requests()), (Money::NotMoved, [0, 1]));
}

/// A folder for a ledger's file.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ledger.sqlite")
    }

    async fn open(&self) -> Result<SqlLedger, LedgerError> {
        SqlLedger::sqlite(self.file()).await
    }

    async fn connection(&self) -> AnyConnection {
        AnyConnection::connect(&format!("sqlite:{}?mode=rw", self.file().display())).await.unwrap()
    }

    async fn by_hand(&self, sql: &'static str) {
        let mut connection = self.connection().await;
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn assert_refused(&self, fault: Fault, says: &str) {
        let error = self.open().await.unwrap_err();
        assert_store(&error, fault, &Path::new(&self.file()).display().to_string());
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[track_caller]
fn assert_store(error: &LedgerError, expected: Fault, names: &str) {
    let LedgerError::Store(database) = error else { panic!("{error:?}") };
    assert_eq!(database.fault, expected, "{error:?}");
    assert!(error.to_string().contains(names), "{error}");
}

/// A shop that asks a cent, and a customer with a ledger.
struct Shop {
    server: ScriptedServer,
    customer: Customer,
}

impl Shop {
    async fn open(ledger: impl Ledger + 'static) -> Self {
        let cent = Amount::from_base_units(10_000);
        let server = ScriptedServer::start(move |heard| match heard.credential() {
            None => Reply::payment_required(&e2e::demand(cent, None, 300)),
            Some(_) => Reply::new(200, &[], "bought"),
        })
        .await;
        let customer = Customer::new(PAYER.key, Policy::new(CHAIN_ID, [PATH_USD], cent));
        Shop { server, customer: customer.with(|client| client.ledger(ledger)) }
    }

    /// Buys once: how far the payment came, as the call tells.
    async fn buy(&self) -> Result<State, Error> {
        let mut answer = self.customer.get(&self.server.url("/")).await?;
        assert_eq!(answer.bytes().await?, "bought");
        Ok(answer.payment().unwrap().state())
    }

    fn signatures_and_requests(&self) -> [usize; 2] {
        [self.customer.signatures(), self.server.heard().len()]
    }
}

/// Loses its database between reserving and sending.
struct Fickle {
    ledger: Arc<SqlLedger>,
    server: Arc<Mutex<Postgres>>,
}

/// Hears nothing of a payment once it was sent.
struct Forgetful(Arc<MemoryLedger>);

/// What both leave to another ledger.
macro_rules! as_before {
    ($($inner:tt)+) => {
        fn reserve<'a>(&'a self, payment: Payment, budget: &'a Budget) -> LedgerFuture<'a, Payment> {
            self.$($inner)+.reserve(payment, budget)
        }

        fn payment(&self, id: u64) -> LedgerFuture<'_, Option<Payment>> {
            self.$($inner)+.payment(id)
        }

        fn payments(&self, before: Option<u64>, most: u32, open: bool) -> LedgerFuture<'_, Vec<Payment>> {
            self.$($inner)+.payments(before, most, open)
        }

        fn spent(&self, currency: Currency, scope: Scope, slots: Slots) -> LedgerFuture<'_, Amount> {
            self.$($inner)+.spent(currency, scope, slots)
        }
    };
}

impl Ledger for Fickle {
    as_before!(ledger);

    fn advance(&self, id: u64, step: Step, now: u64) -> LedgerFuture<'_, Payment> {
        Box::pin(async move {
            if let Step::Sent(_) = step {
                self.server.lock().await.stop();
            }
            self.ledger.advance(id, step, now).await
        })
    }
}

impl Ledger for Forgetful {
    as_before!(0);

    fn advance(&self, id: u64, step: Step, now: u64) -> LedgerFuture<'_, Payment> {
        match step {
            Step::Sent(_) => self.0.advance(id, step, now),
            _ => Box::pin(std::future::ready(Err(LedgerError::Missing { id }))),
        }
    }
}
