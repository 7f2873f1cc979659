//! TLS with a certificate of one's own.

use reqwest::{Certificate, Client};

use crate::payer::Payer;
use crate::program::Place;
use crate::stand_ins::{Node, Service};

#[tokio::test]
async fn a_sale_over_tls_and_nothing_in_the_clear() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (node, service) = (Node::start().await, Service::start(true).await);
    let more =
        "[tls]\ncertificate_file = \"certificate.pem\"\nkey_file = \"key.pem\"\n[limits]\nheader_seconds = 1";
    let place = Place::new(&node, &service, more);
    std::fs::write(place.folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(place.folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let program = place.serve().await;

    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let http = Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    let port = program.address.rsplit(':').next().unwrap();
    let payer = Payer::with(http, format!("https://localhost:{port}"));
    let credential = payer.credential().await;
    assert_eq!(payer.pay(&credential).await.status, 200);

    let clear = Client::builder().no_proxy().build().unwrap();
    assert!(clear.get(format!("http://{}/health", program.address)).send().await.is_err());
    // Who begins no handshake is cut off.
    let mut silent = tokio::net::TcpStream::connect(&program.address).await.unwrap();
    let mut bytes = [0; 10];
    let read = tokio::io::AsyncReadExt::read(&mut silent, &mut bytes);
    let read = tokio::time::timeout(crate::program::PATIENCE, read).await.expect("it is left waiting");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_the_start() {
    let make = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (node, service) = (Node::start().await, Service::start(true).await);
    let more = "[tls]\ncertificate_file = \"certificate.pem\"\nkey_file = \"key.pem\"";
    let place = Place::new(&node, &service, more);
    std::fs::write(place.folder.path().join("certificate.pem"), make().cert.pem()).unwrap();
    std::fs::write(place.folder.path().join("key.pem"), make().signing_key.serialize_pem()).unwrap();
    let (code, said, _) = place.run("check").await;
    assert!(code == 3 && said.contains("FAILED   tls       certificate.pem: not with this key"), "{said}");
}
