//! One JSON-RPC call over plain HTTP to a loopback port.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// Calls `method`: its result, or the `error` object the node answered with.
pub(crate) async fn call(port: u16, method: &str, params: &Value) -> Result<Value, Value> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut answer = match post(port, request.to_string()).await {
        Ok(body) => serde_json::from_slice::<Value>(&body).expect("the node answers in JSON"),
        Err(error) => panic!("the node on port {port} did not answer {method}: {error}"),
    };
    match answer.get_mut("error") {
        Some(error) => Err(error.take()),
        None => Ok(answer.get_mut("result").map(Value::take).unwrap_or_default()),
    }
}

async fn post(port: u16, body: String) -> Result<Bytes, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::post("/")
        .header(HOST, format!("127.0.0.1:{port}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    Ok(sender.send_request(request).await?.into_body().collect().await?.to_bytes())
}
