//! A ledger that cannot be used: one clear error that names it, and no payment that is not written down.

use std::process::Command;

use serde_json::Value;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};

use crate::support::{Home, PROMPT, Shop, assert_ended, challenge, failed, stderr, stdout};

/// Runs SQL on the default ledger and keeps the connection.
async fn sql(home: &Home, text: &'static str) -> SqliteConnection {
    let url = format!("sqlite:{}", home.ledger().display());
    let mut connection = SqliteConnection::connect(&url).await.expect("connected");
    connection.execute(text).await.expect("executed");
    connection
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

/// Every command that opens the ledger says the same of it, and nothing reaches a shop.
#[track_caller]
fn assert_unusable(home: &Home, arguments: &[&str], named: &str, says: &str) {
    let shop = Shop::open([]);
    let commands: [&[&str]; 5] = [
        &["run", "--base-url", &shop.url, PROMPT],
        &["history"],
        &["budget"],
        &["reconcile"],
        &["evidence", "1"],
    ];
    for command in commands {
        let output = home.grok_mpp().args(command).args(arguments).output().expect("starts");
        assert_ended(&output, 4, says);
        assert!(stderr(&output).contains(named), "{named} is not in {}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
}

#[test]
fn a_ledger_that_another_program_keeps_locked_stops_the_signature_and_can_be_read() {
    let home = Home::new();
    assert_ended(&home.run(&["history"]), 0, "");
    let _lock = block_on(sql(&home, "BEGIN IMMEDIATE"));
    assert_ended(&home.run(&["history"]), 0, "no payments");
    let shop = Shop::open([challenge(31337), failed()]);
    let output = home.buy(&shop, &[]);
    let says = format!("so nothing was signed: the ledger {} is locked", home.ledger().display());
    assert_ended(&output, 4, &says);
    assert!(stderr(&output).starts_with("grok-mpp: nothing was paid: "), "{}", stderr(&output));
    assert!(shop.credentials().is_empty());
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone() {
    let home = Home::new();
    assert_ended(&home.run(&["history"]), 0, "");
    block_on(async {
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
            VALUES (99, 'to come', TRUE, x'00', 0)";
        sql(&home, newer).await.close().await.expect("closed");
    });
    let named = home.ledger().display().to_string();
    assert_unusable(&home, &[], &named, "was written by a newer version; use that version");
}

#[test]
fn a_file_that_is_no_ledger_is_left_alone() {
    let home = Home::new();
    let file = home.file("holiday.jpg");
    let bytes = b"\xff\xd8\xff\xe0 not a database ".repeat(100);
    std::fs::write(&file, &bytes).expect("written");
    let path = file.to_str().expect("UTF-8");
    assert_unusable(
        &home,
        &["--ledger", path],
        path,
        "is damaged or something else; restore it, or move it away",
    );
    assert_eq!(std::fs::read(&file).expect("read"), bytes);
}

#[test]
fn a_ledger_where_none_can_be_is_named() {
    let home = Home::new();
    std::fs::write(home.file("file"), "").expect("written");
    let path = home.file("file/ledger.sqlite").display().to_string();
    assert_unusable(
        &home,
        &["--ledger", &path],
        &path,
        "cannot be reached; check where it is and who may use it",
    );
    let folder = home.file("").display().to_string();
    assert_unusable(&home, &["--ledger", &folder], &folder, "cannot be reached");

    // The default place, in a data folder that is a file.
    std::fs::write(home.file("data"), "").expect("written");
    let named = home.ledger().display().to_string();
    assert_unusable(&home, &[], &named, "cannot be made: ");
}

#[test]
fn budget_reads_no_more_than_a_hundred_open_payments() {
    let home = Home::with_unknown();
    let another = "UPDATE last SET id = id + 1; INSERT INTO payments SELECT * FROM last;";
    let more = |count: usize| {
        let text = "CREATE TEMP TABLE last AS SELECT * FROM payments ORDER BY id DESC LIMIT 1;".to_owned();
        block_on(async { sql(&home, (text + &another.repeat(count)).leak()).await.close().await })
            .expect("closed");
    };
    for (count, says) in
        [(98, "not settled  99 payments, at most $2.574;"), (2, "not settled  100 or more payments;")]
    {
        more(count);
        let output = home.run(&["budget"]);
        assert_ended(&output, 0, "");
        assert!(stdout(&output).contains(says), "{}", stdout(&output));
    }
    let open = &home.json(&["budget", "--json", "--chain-id", "31337"])["tokens"][0]["open"];
    assert_eq!([&open["payments"], &open["or_more"]], [&Value::from(100), &Value::from(true)]);
}

/// As the disk fills up at one place after another, either nothing is sent, or what is sent is written down.
#[test]
#[cfg(unix)]
fn on_a_full_disk_nothing_is_sent_that_is_not_written_down() {
    let mut ends = Vec::new();
    // In blocks of 512 bytes: no file may grow beyond that many.
    for blocks in [0, 1, 8, 32, 64, 72, 80, 96, 104, 112, 128, 160, 512] {
        let home = Home::new();
        assert_ended(&home.run(&["history"]), 0, "");
        let shop = Shop::open([challenge(31337), failed()]);
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = home.within(Command::new("sh"));
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_grok-mpp"), "run", "--base-url", &shop.url]);
        let output = command.args(["--chain-id", "31337", PROMPT]).output().expect("starts");
        let code = output.status.code().expect("a code");
        let written = home.json(&["history", "--json"]);
        match (code, shop.credentials().len()) {
            (4, 0) => {
                let named = home.ledger().display().to_string();
                assert!(stderr(&output).contains(&named), "{blocks}: {}", stderr(&output));
                assert!(stderr(&output).contains("make room on its disk"), "{blocks}: {}", stderr(&output));
            }
            // The last step may be missing, but not that it was sent.
            (5, 1) => assert!(written[0]["state"] == "sent" || written[0]["state"] == "unknown", "{written}"),
            other => panic!("{blocks}: {other:?} {}", stderr(&output)),
        }
        ends.push(code);
    }
    assert_eq!((ends.first(), ends.last()), (Some(&4), Some(&5)), "{ends:?}");
}
