//! A signer that is another program: for every question it is started anew, is asked by one JSON object on its standard
//! input, and answers by one line of JSON on its standard output. What it answers is checked; what it says beside is shown
//! only when it fails, and made fit for a terminal.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use alloy_primitives::hex;
use mpp_core::error::SignerError;
use mpp_core::printable;
use mpp_core::tempo::{Address, FeePayment, SignFuture, Signature, Signer, Transaction, Unsigned};
use mpp_http::Quoted;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::{VARIABLE, passphrase};
use crate::failure::Failure;
use crate::report;

/// A program that signs.
pub(crate) struct RemoteSigner {
    command: SignerCommand,
    address: Address,
}

/// A program and its arguments. It does not print, as an argument may be a secret.
#[derive(Clone)]
pub(crate) struct SignerCommand {
    pub(crate) program: String,
    arguments: Vec<String>,
}

impl SignerCommand {
    /// Splits a command into words, as a shell does; no shell is started.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut words = shlex::split(text).ok_or("has a quote that does not end")?.into_iter();
        match words.next().filter(|program| !program.is_empty()) {
            Some(program) => Ok(SignerCommand { program, arguments: words.collect() }),
            None => Err("must name a program"),
        }
    }

    /// Asks it, and waits for its line.
    async fn ask(&self, question: &Value) -> Result<Value, String> {
        let asked = tokio::time::timeout(PATIENCE, self.run(question)).await;
        let (status, answer, said) =
            asked.map_err(|_| format!("did not answer within {} seconds", PATIENCE.as_secs()))??;
        if !status.success() {
            let said = String::from_utf8_lossy(&said);
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
            return Err(format!("failed ({status}) and said: {}", printable(last, MAX_SHOWN)));
        }
        let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let answer: Value = serde_json::from_slice(line)
            .map_err(|_| "did not answer by one line of JSON on its standard output".to_owned())?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(format!("refused: {}", printable(error, MAX_SHOWN))),
            None => Ok(answer),
        }
    }

    /// Its end, and the beginnings of what it wrote to standard output and standard error.
    async fn run(&self, question: &Value) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), String> {
        let mut child = self.start().map_err(|error| format!("cannot be started: {error}"))?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let asking = async {
            if let Some(mut input) = input {
                // One that answers without reading has said enough.
                let _ = input.write_all(format!("{question}\n").as_bytes()).await;
            }
        };
        let ((), answer, said, status) =
            tokio::join!(asking, beginning(output), beginning(errors), child.wait());
        let status = status.map_err(|error| format!("cannot be waited for: {error}"))?;
        Ok((status, answer, said))
    }

    fn start(&self) -> std::io::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            .env_remove(VARIABLE)
            .env_remove(passphrase::VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

impl RemoteSigner {
    /// Asks the program whose payments it signs.
    pub(crate) async fn connect(command: SignerCommand) -> Result<Self, Failure> {
        let question = json!({ "version": VERSION, "request": "address" });
        let answer = command.ask(&question).await.and_then(|answer| {
            let address = answer.get("address").and_then(Value::as_str).and_then(|text| text.parse().ok());
            address.ok_or_else(|| "answered without an address".to_owned())
        });
        let wrong = |why| Failure::usage(format!("the signer command {} {why}", shown(&command.program)));
        let address = answer.map_err(wrong)?;
        Ok(RemoteSigner { command, address })
    }

    async fn signature(&self, payment: &Unsigned) -> Result<Signature, String> {
        let answer = self.command.ask(&question(payment)).await?;
        let signature = answer.get("signature").and_then(Value::as_str);
        let mut bytes = [0; 65];
        signature
            .and_then(|text| hex::decode_to_slice(text, &mut bytes).ok())
            .ok_or("answered without a signature of 65 bytes in hexadecimal")?;
        Signature::checked(bytes, payment, self.address).map_err(|error| format!("answered with {error}"))
    }
}

impl Signer for RemoteSigner {
    fn address(&self) -> Address {
        self.address
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        Box::pin(async move {
            let signature = self.signature(payment).await;
            signature.map_err(|why| {
                SignerError::new(format!("the command {} {why}", shown(&self.command.program)))
            })
        })
    }
}

/// A payment to sign: its hash, its terms for whoever decides, and the whole transaction for who computes the hash himself.
fn question(payment: &Unsigned) -> Value {
    let mut quote = payment.quote().clone();
    if let Some(transfers) = payment.transaction().and_then(Transaction::transfers) {
        // With the memos that are signed.
        quote.transfers = transfers.into_iter().map(|(_, transfer)| transfer).collect();
    }
    let terms = report::terms(&Quoted { quote, refusal: None });
    json!({
        "version": VERSION,
        "request": "sign",
        "address": payment.payer(),
        "hash": payment.signing_hash(),
        "terms": terms,
        "transaction": payment.transaction().map(transaction),
    })
}

fn transaction(transaction: &Transaction) -> Value {
    let (fee_token, sponsored) = match transaction.fee {
        FeePayment::Sender(token) => (token, false),
        FeePayment::Sponsor => (None, true),
    };
    json!({
        "chain_id": transaction.chain_id,
        "max_priority_fee_per_gas": transaction.max_priority_fee_per_gas.to_string(),
        "max_fee_per_gas": transaction.max_fee_per_gas.to_string(),
        "gas_limit": transaction.gas_limit,
        "calls": transaction.calls.iter().map(|call| json!({ "to": call.to, "input": call.input })).collect::<Vec<_>>(),
        "nonce_key": transaction.nonce_key,
        "nonce": transaction.nonce,
        "valid_before": transaction.valid_before,
        "valid_after": transaction.valid_after,
        "fee_token": fee_token,
        "sponsored": sponsored,
    })
}

/// All that is read of a stream; the rest is thrown away, so that its writer can end.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = (&mut stream).take(MAX_OUTPUT).read_to_end(&mut bytes).await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    bytes
}

fn shown(program: &str) -> String {
    printable(program, MAX_SHOWN)
}

/// The version of the questions.
const VERSION: u64 = 1;
/// Longest wait for an answer: somebody may have to press a button, and a payment must reach the chain within 25 seconds of
/// being made.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest output read, in bytes; an answer takes 150.
const MAX_OUTPUT: u64 = 16 * 1024;
/// Longest part of a program's words that is shown, in characters.
const MAX_SHOWN: usize = 200;
