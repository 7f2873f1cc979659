//! What is too much: too often, too long, too slow, too many.

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::payer::{CHAT, Payer};
use crate::program::{PATIENCE, Place, Program};
use crate::stand_ins::{Node, Service};

async fn program(limits: &str) -> (Program, Service) {
    let (node, service) = (Node::start().await, Service::start(true).await);
    (Place::new(&node, &service, &format!("[limits]\n{limits}")).serve().await, service)
}

/// What comes of these bytes until the connection is closed.
async fn told(program: &Program, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(&program.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset is closed, too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection stays open");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn who_asks_too_often_is_sent_away_and_may_still_pay() {
    let (program, _service) = program("requests_per_second = 1\nburst = 3").await;
    let payer = Payer::of(&program.address);
    let credential = payer.credential().await;
    // Three pass at once, and on a slow machine one more a second.
    let mut answer = payer.ask().await;
    while answer.status == 402 {
        answer = payer.ask().await;
    }
    answer.is_refused(429, "too_many_requests", true);
    assert_eq!(payer.pay(&credential).await.status, 200);
    // That he is the next one's proxy, anybody can say.
    payer.forwarded_for("9.9.9.9").ask().await.is_refused(429, "too_many_requests", true);
    assert_eq!(payer.get("/health").await.status, 200, "health counts");
}

#[tokio::test]
async fn behind_a_trusted_proxy_everybody_has_a_limit_of_his_own() {
    let (program, _service) = program("requests_per_second = 1\nburst = 1\ntrusted_proxies = 1").await;
    let proxy = Payer::of(&program.address);
    let (one, other) = (proxy.forwarded_for("9.9.9.9"), proxy.forwarded_for("6.6.6.6, 8.8.8.8"));
    assert_eq!((one.ask().await.status, other.ask().await.status), (402, 402));
    one.ask().await.is_refused(429, "too_many_requests", true);
    proxy.forwarded_for("7.7.7.7, 8.8.8.8").ask().await.is_refused(429, "too_many_requests", true);
    assert!(program.said().contains("\"client\":\"8.8.8.8\""), "{}", program.said());
}

#[tokio::test]
async fn when_there_is_too_much_to_do_payers_are_the_last_to_be_sent_away() {
    let (node, service) = (Node::start().await, Service::start(false).await);
    let limits = "[limits]\nrequests = 3\nrequests_reserved_for_paid = 1";
    let program = Place::new(&node, &service, limits).serve().await;
    let payer = Payer::of(&program.address);
    let mut paid = Vec::new();
    let mut credentials = Vec::new();
    for _ in 0..4 {
        credentials.push(payer.credential().await);
    }
    for (count, credential) in credentials.iter().take(2).enumerate() {
        let (payer, credential) = (payer.clone(), credential.clone());
        paid.push(tokio::spawn(async move { payer.pay(&credential).await.status }));
        service.until_asked(count + 1).await;
    }
    payer.ask().await.is_refused(503, "busy", true);
    let (third, credential) = (payer.clone(), credentials[2].clone());
    paid.push(tokio::spawn(async move { third.pay(&credential).await.status }));
    service.until_asked(3).await;
    // Now there is no room at all, and nothing is taken of who is sent away.
    payer.pay(&credentials[3]).await.is_refused(503, "busy", true);
    assert_eq!(payer.get("/health").await.status, 200);
    service.open();
    for paid in paid {
        assert_eq!(paid.await.unwrap(), 200);
    }
    assert_eq!(payer.pay(&credentials[3]).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_by_its_length_and_by_its_bytes() {
    let (program, service) = program("body_bytes = 1000\nheader_seconds = 1").await;
    let payer = Payer::of(&program.address);
    payer.send(Method::POST, CHAT, "x".repeat(1001), None).await.is_refused(413, "body_too_long", false);
    let chunked = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n",
        "x".repeat(1001)
    );
    assert!(told(&program, chunked.as_bytes()).await.starts_with("HTTP/1.1 413 "));
    assert_eq!((payer.ask().await.status, service.asked().len()), (402, 0));
}

#[tokio::test]
async fn who_sends_too_slowly_is_cut_off_wherever_he_stops() {
    let (program, _service) = program("header_seconds = 1\nbody_seconds = 1").await;
    for start in ["", "P", "POST /grok/chat HTTP/1.1\r\nhost: a\r\nx-y: "] {
        assert_eq!(told(&program, start.as_bytes()).await, "", "{start}");
    }
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{{");
    let answer = told(&program, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"body_too_slow\""), "{answer}");
    // Done with one request, it waits as long for the next.
    let answer = told(&program, b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn who_does_not_read_is_cut_off() {
    let (program, _service) =
        program("write_seconds = 1\nrequests_per_second = 1000000\nburst = 1000000").await;
    let mut stream = TcpStream::connect(&program.address).await.unwrap();
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100);
    let cut = async { while stream.write_all(&request).await.is_ok() {} };
    timeout(PATIENCE, cut).await.expect("the connection stays open");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let (program, _service) = program("header_bytes = 8192").await;
    let long = format!("GET /health HTTP/1.1\r\nhost: a\r\nx-y: {}\r\n\r\n", "y".repeat(9000));
    assert!(told(&program, long.as_bytes()).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let (program, _service) = program("connections_per_ip = 2\nheader_seconds = 60").await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(&program.address).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
        held.push(stream);
    }
    let mut third = TcpStream::connect(&program.address).await.unwrap();
    let read = timeout(PATIENCE, third.read(&mut [0; 10])).await.expect("it is left waiting");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}
