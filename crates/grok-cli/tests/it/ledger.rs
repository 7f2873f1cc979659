//! A ledger that cannot be used: one clear error that names it, and no payment that is not written down.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};

use crate::support::{FAILED, Home, PROMPT, Shop, answer, assert_ended, challenge, read_request, stderr};

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
fn a_ledger_that_another_program_keeps_locked_stops_the_run() {
    let home = Home::new();
    assert_ended(&home.run(&["history"]), 0, "");
    let _lock = block_on(sql(&home, "BEGIN IMMEDIATE"));
    let shop = Shop::open([]);
    let output = home.buy(&shop, &[]);
    let says = format!("the ledger {} is locked by another program; try again", home.ledger().display());
    assert_ended(&output, 4, &says);
}

#[test]
fn a_ledger_that_is_locked_when_the_price_is_known_stops_the_signature() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let mut command = home.grok_mpp();
    command.args(["run", "--base-url", &url, "--chain-id", "31337", PROMPT]).stderr(Stdio::piped());
    let child = command.stdout(Stdio::null()).spawn().expect("starts");
    let (stream, _) = listener.accept().expect("a connection");
    assert_eq!(read_request(&stream).0, None);
    let _lock = block_on(sql(&home, "BEGIN IMMEDIATE"));
    (&stream).write_all(challenge(31337).as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ended");
    let says = format!("so nothing was signed: the ledger {} is locked", home.ledger().display());
    assert_ended(&output, 4, &says);
    listener.set_nonblocking(true).expect("set");
    assert!(listener.accept().is_err(), "nothing more was sent");
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
    assert_unusable(&home, &["--ledger", path], path, "is damaged or no ledger; restore it, or move it away");
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

/// As the disk fills up at one place after another, either nothing is sent, or what is sent is written down.
#[test]
#[cfg(unix)]
fn on_a_full_disk_nothing_is_sent_that_is_not_written_down() {
    let mut ends = Vec::new();
    // In blocks of 512 bytes: no file may grow beyond that many.
    for blocks in [0, 1, 8, 32, 64, 72, 80, 96, 104, 112, 128, 160, 512] {
        let home = Home::new();
        assert_ended(&home.run(&["history"]), 0, "");
        let shop = Shop::open([challenge(31337), answer("502 Bad Gateway", FAILED)]);
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
