//! Who is let in, and how it starts.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use super::{CHAT, Heard, Served, Slow, chat, ledger};
use crate::support::{Home, assert_ended};

#[test]
fn a_page_in_a_browser_spends_nothing() {
    let home = Home::new();
    let served = Served::sandbox(&home);
    let json = "Content-Type: application/json\r\n";
    let local = format!("Host: {}\r\n", served.address);
    let refused = [
        (format!("{local}{json}Origin: https://evil.example\r\n"), 403),
        (format!("Host: evil.example\r\n{json}"), 403),
        (format!("{local}Content-Type: text/plain\r\n"), 415),
        (local, 415),
    ];
    for (fields, status) in refused {
        let head = format!("POST /v1/{CHAT} HTTP/1.1\r\n{fields}");
        let heard = Heard::read(served.write(&head, &chat().to_string()));
        assert_eq!(heard.status, status, "{head}");
        assert!(heard.json()["error"]["message"].is_string());
    }
    assert!(ledger(&home).is_empty());
}

#[test]
fn models_are_listed_for_nothing_and_other_paths_are_not_there() {
    let home = Home::new();
    let served = Served::sandbox(&home);
    let get =
        |path: &str| Heard::read(served.write(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"), ""));
    let list = get("/v1/models").json();
    assert!(list["object"] == "list" && list["data"].as_array().is_some_and(|all| !all.is_empty()), "{list}");
    let id = list["data"][0]["id"].as_str().expect("an id");
    assert_eq!(get(&format!("/v1/models/{id}")).json()["id"], id);
    get("/v1/models/gpt-5").assert_error(404, "model_not_found");
    get("/v1/embeddings").assert_error(404, "not_found");
    get(&format!("/v1/{CHAT}")).assert_error(405, "not_found");
    assert!(get("/v1/models").field("x-request-id").is_some());
}

#[test]
fn a_token_is_asked_for_once_there_is_one() {
    let home = Home::new();
    let file = token_file(&home, "correct-horse-battery\n");
    let served = Served::start(&home, &["--sandbox", "--token-file", file.to_str().expect("UTF-8")]);
    served.post(CHAT, &chat()).assert_error(401, "invalid_api_key");
    let with = |token: &str| served.ask(CHAT, &[("Authorization", &format!("Bearer {token}"))], &chat());
    assert_eq!(with("correct-horse-batterY").status, 401);
    assert_eq!(with("correct-horse-battery").status, 200);
}

#[test]
fn who_waits_for_a_place_when_it_stops_pays_nothing() {
    let home = Home::new();
    let shop = Slow::open();
    let to = ["--base-url", &shop.url, "--chain-id", "31337", "--at-once", "1"];
    let mut served = Served::start(&home, &to);
    let first = served.send(CHAT, &[], &chat());
    shop.asked.recv().expect("it is paid");
    // It says that it reads the body, so that it has the request when it is told to stop.
    let head = format!("POST /v1/{CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    let mut second = std::net::TcpStream::connect(&served.address).expect("it listens");
    let body = chat().to_string();
    write!(second, "{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len()).expect("sent");
    let mut go_on = [0; 25];
    second.read_exact(&mut go_on).expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    served.interrupt();
    served.says("stopping");
    second.write_all(body.as_bytes()).expect("sent");
    let refused = Heard::read(second);
    refused.assert_error(503, "stopping");
    assert_eq!(refused.field("x-should-retry"), None);
    shop.answer.send(()).expect("told");
    assert_eq!(Heard::read(first).status, 200);
    assert_eq!((served.ended().0, ledger(&home).len()), (Some(0), 1));
}

#[test]
fn of_many_at_once_each_is_bought_in_its_turn() {
    let home = Home::new();
    let served = Served::start(&home, &["--sandbox", "--at-once", "2"]);
    let sent: Vec<_> = (0..12).map(|_| served.send(CHAT, &[], &chat())).collect();
    assert!(sent.into_iter().map(Heard::read).all(|heard| heard.status == 200));
    assert_eq!(ledger(&home).len(), 12);
}

#[test]
fn too_much_is_not_read() {
    let home = Home::new();
    let served = Served::sandbox(&home);
    let long = json!({"model": "grok-4.3", "input": "x".repeat(2 << 20)});
    assert_eq!(served.post("responses", &long).status, 400, "more than the service takes");
    let head = format!("POST /v1/{CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    let heard = Heard::read(served.write(&head, "[1]"));
    assert_eq!(heard.status, 400);
}

#[test]
fn it_does_not_start_where_it_must_not() {
    let home = Home::new();
    let serve = |arguments: &[&str]| home.run(&[&["serve", "--sandbox", "--listen"], arguments].concat());
    assert_ended(&serve(&["0.0.0.0:0"]), 2, "GROK_MPP_SERVE_TOKEN");
    assert_ended(&serve(&["localhost"]), 2, "--listen");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    assert_ended(
        &serve(&[&address]),
        4,
        &format!("cannot listen on {address}; name another place with --listen"),
    );
    let file = token_file(&home, "short");
    let with_token = || serve(&["127.0.0.1:0", "--token-file", file.to_str().expect("UTF-8")]);
    assert_ended(&with_token(), 2, "at least 16");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("set");
    assert_ended(&with_token(), 2, "others can read it");
    token_file(&home, &"t".repeat(5000));
    assert_ended(&with_token(), 2, "longer than 4096 bytes");
    assert_ended(&serve(&["127.0.0.1:0", "--token-file", "/nonexistent"]), 2, "/nonexistent");
    let output = home.grok_mpp().args(["serve"]).env_remove("GROK_MPP_PRIVATE_KEY").output().expect("starts");
    assert_ended(&output, 2, "no wallet");
}

fn token_file(home: &Home, text: &str) -> PathBuf {
    let file = home.file("token");
    std::fs::write(&file, text).expect("written");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("set");
    file
}
