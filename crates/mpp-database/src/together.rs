//! Statements that wait for the same connection in, one commit for all of them out: a commit waits for the disk, however much
//! is in it.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::AnyConnection;
use tokio::sync::oneshot;

use crate::{DatabaseError, Opened, PATIENCE, Statement, TOGETHER};

/// Statements that were not begun yet, and who waits for each.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<(Statement, Waiter)>>);

type Waiter = oneshot::Sender<Result<u64, DatabaseError>>;

impl Waiting {
    pub(crate) fn add(&self, statement: Statement) -> oneshot::Receiver<Result<u64, DatabaseError>> {
        let (waiter, written) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((statement, waiter));
        written
    }

    /// The first `most` whose waiters have not given up.
    fn take(&self, most: usize) -> (Vec<Statement>, Vec<Waiter>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(_, waiter)| !waiter.is_closed());
        let most = most.min(waiting.len());
        waiting.drain(..most).unzip()
    }
}

impl Opened {
    /// Writes, in a turn of its own, what others have not written by then.
    pub(crate) async fn write_what_waits(self: Arc<Self>) {
        let _turn = self.turn().await;
        // PostgreSQL commits together of its own accord what comes on several connections.
        let most = if self.is_sqlite() { TOGETHER } else { 1 };
        let (statements, waiters) = self.waiting.take(most);
        if statements.is_empty() {
            return;
        }
        match tokio::time::timeout(PATIENCE, self.write(statements)).await {
            Ok(Ok(written)) => {
                for (waiter, rows) in waiters.into_iter().zip(written) {
                    let _ = waiter.send(Ok(rows));
                }
            }
            Ok(Err(error)) => tell(waiters, &self.failed(error)),
            Err(_) => tell(waiters, &DatabaseError::silent(&self.place)),
        }
    }

    /// How many rows each wrote. After a failure the connection is not used again, and so nothing is committed.
    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<u64>, sqlx::Error> {
        let mut connection = self.connection().await?;
        let written = if statements.len() == 1 {
            run(statements, &mut connection).await?
        } else {
            let mut transaction = self.begin(&mut connection).await?;
            let written = run(statements, &mut transaction).await?;
            transaction.commit().await?;
            written
        };
        self.put_back(connection);
        Ok(written)
    }
}

async fn run(statements: Vec<Statement>, db: &mut AnyConnection) -> Result<Vec<u64>, sqlx::Error> {
    let mut written = Vec::with_capacity(statements.len());
    for statement in statements {
        written.push(statement.execute(&mut *db).await?.rows_affected());
    }
    Ok(written)
}

fn tell(waiters: Vec<Waiter>, error: &DatabaseError) {
    for waiter in waiters {
        let _ = waiter.send(Err(error.clone()));
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::{Access, Database, Fault, Schema};

    const SCHEMA: Schema =
        Schema { name: "numbers", sql: "CREATE TABLE numbers (number BIGINT PRIMARY KEY)", lock: 0 };

    #[tokio::test]
    async fn what_waited_together_is_written_together() {
        let (database, _folder) = database().await;
        let turn = database.0.turn().await;
        let written = tokio::join!(write(&database, 1), write(&database, 2), write(&database, 3), async {
            drop(turn);
        });
        assert!(matches!(written, (Ok(1), Ok(1), Ok(1), ())), "{written:?}");
        assert_eq!(numbers(&database).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn what_waited_together_fails_together_and_is_all_unwritten() {
        let (database, _folder) = database().await;
        write(&database, 2).await.expect("room for a number");
        let turn = database.0.turn().await;
        let written = tokio::join!(write(&database, 1), write(&database, 2), write(&database, 3), async {
            drop(turn);
        });
        let (Err(one), Err(two), Err(three), ()) = written else { panic!("{written:?}") };
        assert_eq!([one.fault, two.fault, three.fault], [Fault::Failed; 3]);
        write(&database, 4).await.expect("room for another");
        assert_eq!(numbers(&database).await, [2, 4]);
    }

    #[tokio::test]
    async fn who_gives_up_before_his_turn_writes_nothing() {
        let (database, _folder) = database().await;
        let turn = database.0.turn().await;
        tokio::select! {
            biased;
            _ = write(&database, 1) => panic!("it was not its turn"),
            () = std::future::ready(()) => {}
        }
        drop(turn);
        write(&database, 2).await.expect("room for a number");
        assert_eq!(numbers(&database).await, [2]);
    }

    #[tokio::test]
    async fn a_file_that_is_closed_is_whole_and_opened_anew() {
        let (database, folder) = database().await;
        let wal = folder.path().join("numbers.sqlite-wal");
        write(&database, 1).await.expect("room for a number");
        assert!(wal.exists());
        database.close().await;
        assert!(!wal.exists());
        write(&database, 2).await.expect("room for another");
        assert_eq!(numbers(&database).await, [1, 2]);
    }

    async fn database() -> (Database, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::sqlite(&folder.path().join("numbers.sqlite"), SCHEMA).await;
        (database.expect("a database"), folder)
    }

    async fn write(database: &Database, number: i64) -> Result<u64, DatabaseError> {
        database.execute(sqlx::query("INSERT INTO numbers VALUES ($1)").bind(number)).await
    }

    async fn numbers(database: &Database) -> Vec<i64> {
        let numbers = database.within(Access::Statements, async |db| {
            let query = sqlx::query_scalar("SELECT number FROM numbers ORDER BY number");
            Ok(query.fetch_all(db).await?)
        });
        numbers.await.map_err(|error: DatabaseError| error).expect("numbers")
    }
}
