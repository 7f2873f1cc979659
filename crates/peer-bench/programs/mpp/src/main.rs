//! Pays for a page, with a body of so many bytes if it says so, and prints the most memory it held, in KiB. It is as little
//! as that takes with the published Rust SDK, as its documentation has it.
//!
//!     KEY=0x… RPC=http://… pay-with-mpp URL [BYTES]

use std::error::Error;

use mpp::PrivateKeySigner;
use mpp::client::{Fetch as _, TempoProvider};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next().filter(|argument| argument != "--help") else {
        println!("pay-with-mpp URL [BYTES]");
        return Ok(());
    };
    let body = arguments.next().map(|bytes| bytes.parse()).transpose()?.map(|bytes| vec![b'a'; bytes]);
    let signer: PrivateKeySigner = std::env::var("KEY")?.parse()?;
    let provider = TempoProvider::new(signer, std::env::var("RPC")?)?;
    let client = reqwest::Client::new();
    let request = match body {
        None => client.get(url),
        Some(body) => client.post(url).body(body),
    };
    let answer = request.header("Accept-Payment", "tempo/charge").send_with_payment(&provider).await?;
    let answer = answer.error_for_status()?;
    answer.headers().get("payment-receipt").ok_or("no receipt")?;
    answer.bytes().await?;
    println!("{}", peak()?);
    Ok(())
}

fn peak() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    Ok(peak.trim().trim_end_matches(" kB").to_owned())
}
