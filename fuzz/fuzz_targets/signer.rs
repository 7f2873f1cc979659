//! Any output of a program that is asked to sign a payment: what is taken is a signature of that very payment by the
//! address that the program named, in the first line of an output of 16 KiB at most, with no word of an error and a good
//! end. It is asked once, and for that payment; why nothing is taken is one short line.
//!
//! Words in the first line: which payment, the program's exit status, and the place of a byte of the payer's signature and
//! what it is changed by. The second line is the answer to the question for the address; the rest is written to standard
//! output and to standard error. `@` stands for the address, or the signature.

#![no_main]
#![allow(dead_code, reason = "of the module that is included, a part is used")]

use std::cell::RefCell;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use alloy_primitives::hex;
use libfuzzer_sys::fuzz_target;
use mpp_core::Quote;
use mpp_core::tempo::{Address, B256, Signer as _};
use mpp_core_fuzz::payments::{UNSIGNED, signer};
use mpp_core_fuzz::words::Words;
use mpp_core_fuzz::{charge, key};
use serde_json::Value;

// What the module takes from crates that do I/O is below.
extern crate self as mpp_http;
extern crate self as tokio;

#[path = "../../crates/grok-cli/src/wallet/remote.rs"]
mod remote;

use process::Program;
use remote::{RemoteSigner, SignerCommand};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut words = Words::new(lines.next().unwrap_or_default());
    let number = words.read::<usize>() % UNSIGNED.len();
    let payment = &UNSIGNED[number];
    let status = words.read::<u8>();
    let mut signature = SIGNATURES[number];
    signature[words.read::<usize>() % 65] ^= words.read::<u8>();
    let named = filled(lines.next().unwrap_or_default(), &signer().address().to_string());
    let output = filled(lines.next().unwrap_or_default(), &hex::encode_prefixed(signature));

    run(0, named.clone());
    let command = SignerCommand::parse("program 'an argument'").expect("a command");
    let Ok(remote) = now(RemoteSigner::connect(command)) else {
        assert_eq!(address(&named), None);
        return;
    };
    assert_eq!(Some(remote.address()), address(&named));
    let hash = payment.signing_hash();
    run(status, output.clone());
    let found = now(remote.sign(payment)).map(|signature| signature.to_bytes());
    let expected = signed(&output, hash, remote.address()).filter(|_| status == 0);
    match found {
        Ok(found) => assert_eq!(Some(found), expected),
        Err(error) => {
            assert_eq!(expected, None, "{error:?}");
            let why = std::error::Error::source(&error).expect("a reason").to_string();
            assert!(
                why.chars().count() < 500 && !why.contains(|it: char| it.is_control() && it != '\t'),
                "{why}"
            );
        }
    }
    let asked = PROGRAM.with_borrow_mut(|program| std::mem::take(&mut program.input));
    let asked: Value = serde_json::from_slice(&asked).expect("one line of JSON");
    let text = |name: &str| asked[name].as_str().and_then(charge::bytes);
    assert_eq!((text("hash"), text("address")), (Some(hash.to_vec()), Some(payment.payer().to_vec())));
});

fn filled(text: &[u8], with: &str) -> Vec<u8> {
    text.split(|byte| *byte == b'@').collect::<Vec<_>>().join(with.as_bytes())
}

fn run(status: u8, output: Vec<u8>) {
    PROGRAM.set(Program { status, output, input: Vec::new() });
}

/// The address in an output.
fn address(output: &[u8]) -> Option<Address> {
    hexadecimal(said(output)?.get("address")?.as_str()?).map(Address::new)
}

/// The signature in an output as it is passed on, if it is one of `hash` by `signer`.
fn signed(output: &[u8], hash: B256, signer: Address) -> Option<[u8; 65]> {
    let mut signature = hexadecimal(said(output)?.get("signature")?.as_str()?)?;
    key::signer(hash, &signature).filter(|found| *found == signer)?;
    signature[64] = 27 + (signature[64] + 1) % 2;
    Some(signature)
}

/// The JSON in the first line, unless it speaks of an error.
fn said(output: &[u8]) -> Option<Value> {
    let output = &output[..output.len().min(16 * 1024)];
    let line = output.split(|byte| *byte == b'\n').next()?;
    serde_json::from_slice(line).ok().filter(|said: &Value| !said.get("error").is_some_and(Value::is_string))
}

/// Twice as many digits, behind `0x` or not.
fn hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    charge::hex(&format!("0x{}", text.strip_prefix("0x").unwrap_or(text)))
}

/// Nothing here waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// The payer's, of each payment.
static SIGNATURES: LazyLock<Vec<[u8; 65]>> =
    LazyLock::new(|| UNSIGNED.iter().map(|payment| signer().sign(payment).to_bytes()).collect());

thread_local! {
    static PROGRAM: RefCell<Program> = RefCell::default();
}

const VARIABLE: &str = "KEY";

/// The terms of a payment.
pub struct Quoted {
    pub quote: Quote,
    pub refusal: Option<()>,
}

#[macro_export]
macro_rules! join {
    ($($work:expr),*) => { ($($work.await),*) };
}

pub mod process {
    use std::future::{Ready, ready};
    use std::io::{self, Cursor};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{ExitStatus, Stdio};

    use crate::PROGRAM;

    #[derive(Clone, Default)]
    pub struct Program {
        pub status: u8,
        pub output: Vec<u8>,
        /// What it was asked.
        pub input: Vec<u8>,
    }

    pub struct Command;

    impl Command {
        pub fn new(program: &str) -> Self {
            assert_eq!(program, "program");
            Command
        }

        pub fn args(self, arguments: &[String]) -> Self {
            assert_eq!(arguments, ["an argument"]);
            self
        }

        pub fn env_remove(self, _: &str) -> Self {
            self
        }

        pub fn stdin(self, _: Stdio) -> Self {
            self
        }

        pub fn stdout(self, _: Stdio) -> Self {
            self
        }

        pub fn stderr(self, _: Stdio) -> Self {
            self
        }

        pub fn kill_on_drop(self, _: bool) -> Self {
            self
        }

        pub fn spawn(self) -> io::Result<Child> {
            let Program { status, output, .. } = PROGRAM.with_borrow(Clone::clone);
            let written = || Some(Cursor::new(output.clone()));
            Ok(Child { stdin: Some(Input), stdout: written(), stderr: written(), status })
        }
    }

    pub struct Child {
        pub stdin: Option<Input>,
        pub stdout: Option<Cursor<Vec<u8>>>,
        pub stderr: Option<Cursor<Vec<u8>>>,
        status: u8,
    }

    pub struct Input;

    impl Child {
        pub fn wait(&mut self) -> Ready<io::Result<ExitStatus>> {
            ready(Ok(ExitStatus::from_raw(i32::from(self.status) << 8)))
        }
    }
}

pub mod io {
    use std::future::{Ready, ready};
    use std::io::{Cursor, Read as _, Result};

    use crate::PROGRAM;
    use crate::process::Input;

    pub trait AsyncRead {
        fn read(&mut self, most: u64, into: &mut Vec<u8>) -> Result<usize>;
    }

    impl AsyncRead for Cursor<Vec<u8>> {
        fn read(&mut self, most: u64, into: &mut Vec<u8>) -> Result<usize> {
            std::io::Read::take(self, most).read_to_end(into)
        }
    }

    impl<R: AsyncRead> AsyncRead for &mut R {
        fn read(&mut self, most: u64, into: &mut Vec<u8>) -> Result<usize> {
            (**self).read(most, into)
        }
    }

    pub struct Take<R>(R, u64);

    impl<R: AsyncRead> Take<R> {
        pub fn read_to_end(mut self, into: &mut Vec<u8>) -> Ready<Result<usize>> {
            ready(self.0.read(self.1, into))
        }
    }

    pub trait AsyncReadExt: AsyncRead + Sized {
        fn take(self, most: u64) -> Take<Self> {
            Take(self, most)
        }
    }

    impl<R: AsyncRead> AsyncReadExt for R {}

    pub trait AsyncWriteExt {
        fn write_all(&mut self, bytes: &[u8]) -> Ready<Result<()>>;
    }

    impl AsyncWriteExt for Input {
        fn write_all(&mut self, bytes: &[u8]) -> Ready<Result<()>> {
            PROGRAM.with_borrow_mut(|program| program.input.extend(bytes));
            ready(Ok(()))
        }
    }

    pub fn copy<R: AsyncRead>(from: &mut R, _: &mut Vec<u8>) -> Ready<Result<usize>> {
        ready(from.read(u64::MAX, &mut Vec::new()))
    }

    pub fn sink() -> Vec<u8> {
        Vec::new()
    }
}

pub mod time {
    use std::time::Duration;

    pub async fn timeout<T>(_: Duration, work: impl Future<Output = T>) -> Result<T, ()> {
        Ok(work.await)
    }
}

pub mod failure {
    pub struct Failure;

    impl Failure {
        pub fn usage(_: String) -> Self {
            Failure
        }
    }
}

pub mod passphrase {
    pub const VARIABLE: &str = "PASSPHRASE";
}

pub mod report {
    use serde_json::Value;

    use crate::Quoted;

    pub fn terms(_: &Quoted) -> Value {
        Value::Null
    }
}
