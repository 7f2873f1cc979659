//! What only the owner knows: a keystore's passphrase, from a file, the environment or the terminal, never from an argument,
//! which every program on the machine can read.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::{PrivateFile, variable};
use crate::failure::Failure;

pub(super) const VARIABLE: &str = "GROK_MPP_PASSPHRASE";
/// Longest secret read, in bytes.
const MAX_SECRET: u64 = 4096;

/// The passphrase of what is there already.
pub(super) fn known(file: Option<&Path>, of: &Path) -> Result<Zeroizing<String>, Failure> {
    match given(file)? {
        Some(passphrase) => Ok(passphrase),
        None => ask(&format!("Passphrase of {}: ", of.display())),
    }
}

/// The passphrase of what is to be made: on a terminal it is asked for twice.
pub(super) fn new(file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    if let Some(passphrase) = given(file)? {
        return Ok(passphrase);
    }
    let passphrase = ask("Passphrase for the new wallet: ")?;
    if passphrase.is_empty() {
        return Err(Failure::usage("the passphrase must not be empty"));
    }
    match *ask("The same again: ")? == *passphrase {
        true => Ok(passphrase),
        false => Err(Failure::usage("the two passphrases differ; nothing was written")),
    }
}

/// A private key, from standard input or, if that is the terminal, without echo.
pub(super) fn private_key() -> Result<Zeroizing<String>, Failure> {
    if io::stdin().is_terminal() {
        return ask("Private key, 64 hexadecimal digits: ");
    }
    let mut text = Zeroizing::new(String::new());
    let read = io::stdin().lock().take(MAX_SECRET).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("standard input: {error}")))?;
    Ok(text)
}

fn given(file: Option<&Path>) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(path) = file else { return Ok(variable(VARIABLE)) };
    let wrong = |why: String| Failure::usage(format!("passphrase file {}: {why}", path.display()));
    let text = PrivateFile::open(path, MAX_SECRET).and_then(PrivateFile::secret).map_err(wrong)?;
    match text.lines().next().unwrap_or_default() {
        "" => Err(wrong("its first line must be the passphrase".to_owned())),
        line => Ok(Some(Zeroizing::new(line.to_owned()))),
    }
}

fn ask(what: &str) -> Result<Zeroizing<String>, Failure> {
    // Whoever sits at a terminal has it at one of the two; nobody else is waited for.
    if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
        return Err(Failure::usage(format!(
            "there is no terminal to ask for the passphrase; give --passphrase-file FILE or set {VARIABLE}"
        )));
    }
    let answer = rpassword::prompt_password(what).map(Zeroizing::new);
    answer.map_err(|error| Failure::usage(format!("cannot ask on the terminal: {error}")))
}
