//! Pays for a page, with a body of so many bytes if it says so, and prints the most memory it held, in KiB. It is as little
//! as that takes with this project's client.
//!
//!     KEY=0x… CHAIN_ID=31337 pay-with-mpp-http URL [BYTES]

use std::error::Error;

use bytes::Bytes;
use mpp_core::Policy;
use mpp_core::tempo::{LocalSigner, PATH_USD};
use mpp_http::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next().filter(|argument| argument != "--help") else {
        println!("pay-with-mpp-http URL [BYTES]");
        return Ok(());
    };
    let body = arguments.next().map(|bytes| bytes.parse()).transpose()?.map(|bytes| vec![b'a'; bytes]);
    let policy = Policy::new(std::env::var("CHAIN_ID")?.parse()?, [PATH_USD], "0.01".parse()?);
    let client = Client::new(LocalSigner::from_hex(&std::env::var("KEY")?)?, policy);
    let request = match body {
        None => http::Request::get(url).body(Bytes::new())?,
        Some(body) => http::Request::post(url).body(body.into())?,
    };
    let mut answer = client.send(request).await?;
    answer.bytes().await?;
    answer.payment().ok_or("it was free")?;
    println!("{}", peak()?);
    Ok(())
}

fn peak() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    Ok(peak.trim().trim_end_matches(" kB").to_owned())
}
