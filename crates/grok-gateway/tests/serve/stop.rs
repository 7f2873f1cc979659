//! The end: paid work is finished, and nothing else holds it up.

use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::payer::Payer;
use crate::program::{Place, Program};
use crate::stand_ins::{Node, Service};

/// A gateway that works on one paid request, which its upstream does not answer yet.
async fn at_work(more: &str) -> (Program, Service, tokio::task::JoinHandle<Option<u16>>) {
    let (node, service) = (Node::start().await, Service::start(false).await);
    let program = Place::new(&node, &service, more).serve().await;
    let payer = Payer::of(&program.address);
    let credential = payer.credential().await;
    let paid = tokio::spawn(async move {
        let paid = tokio::spawn(async move { payer.pay(&credential).await.status });
        paid.await.ok()
    });
    service.until_asked(1).await;
    (program, service, paid)
}

/// Returns once nothing listens any more.
async fn until_closed(program: &Program) {
    while TcpStream::connect(&program.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_signal_lets_paid_work_finish_and_takes_no_more() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut program, service, paid) = at_work("").await;
        program.signal(signal);
        until_closed(&program).await;
        service.open();
        assert_eq!(paid.await.unwrap(), Some(200));
        let (code, said) = program.ended().await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("\"sold\"") && said.contains("\"stopped\""), "{said}");
        let wal = program.place.folder.path().join("gateway.sqlite-wal");
        assert!(!wal.exists(), "the file alone does not hold what was sold");
    }
}

#[tokio::test]
async fn connections_without_a_request_hold_nothing_up() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let mut program = Place::new(&node, &service, "[limits]\nheader_seconds = 86400").serve().await;
    let payer = Payer::of(&program.address);
    assert_eq!(payer.get("/health").await.status, 200);
    let silent = TcpStream::connect(&program.address).await.unwrap();
    // One that is answered later was taken later.
    assert_eq!(Payer::of(&program.address).get("/health").await.status, 200);
    program.signal(Signal::TERM);
    assert_eq!(program.ended().await.0, 0);
    drop((payer, silent));
}

#[tokio::test]
async fn work_that_takes_too_long_is_given_up_and_told() {
    let (mut program, _service, paid) = at_work("finish_seconds = 1").await;
    program.signal(Signal::TERM);
    let (code, said) = program.ended().await;
    assert_eq!(code, 1);
    assert!(said.contains("grok-gateway: stopped with work unfinished after 1s"), "{said}");
    assert_eq!(paid.await.unwrap(), None);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (mut program, _service, paid) = at_work("").await;
    program.signal(Signal::TERM);
    program.until_said("stopping").await;
    program.signal(Signal::INT);
    let (code, said) = program.ended().await;
    assert_eq!(code, 1);
    assert!(said.contains("grok-gateway: stopped at once by a second signal"), "{said}");
    assert_eq!(paid.await.unwrap(), None);
}
