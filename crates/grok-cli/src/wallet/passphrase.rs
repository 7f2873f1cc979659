//! What only the owner knows: a keystore's passphrase, from a file, the environment or the terminal, never from an argument,
//! which every program on the machine can read.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::secret::{self, MAX_SECRET, PrivateFile, variable};

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
    let read = secret::read(io::stdin().lock(), MAX_SECRET);
    read.map_err(|error| Failure::usage(format!("standard input: {error}")))
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

/// Asks on the terminal, whatever standard input and output are.
fn ask(what: &str) -> Result<Zeroizing<String>, Failure> {
    // Whoever sits at a terminal has it at one of the two; nobody else is waited for.
    if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
        return Err(Failure::usage(format!(
            "there is no terminal to ask for the passphrase; give --passphrase-file FILE or set {VARIABLE}"
        )));
    }
    match read_unseen(what) {
        Ok(Some(line)) => Ok(line),
        Ok(None) => Err(Failure::unpaid("the prompt was left without an answer")),
        Err(error) => Err(Failure::usage(format!("cannot ask on the terminal: {error}"))),
    }
}

/// A line that is not echoed; nothing if ctrl-C or ctrl-D was pressed instead.
fn read_unseen(what: &str) -> io::Result<Option<Zeroizing<String>>> {
    let mut terminal = Silenced::new(OpenOptions::new().read(true).write(true).open("/dev/tty")?)?;
    terminal.file.write_all(what.as_bytes())?;
    // A terminal hands over one line at a time.
    let mut bytes = Zeroizing::new(vec![0; MAX_LINE]);
    let length = terminal.file.read(&mut bytes)?;
    terminal.file.write_all(b"\n")?;
    let line = bytes.get(..length).unwrap_or_default();
    match line.strip_suffix(b"\n") {
        Some(line) => {
            let line = std::str::from_utf8(line).map_err(io::Error::other)?;
            Ok(Some(Zeroizing::new(line.to_owned())))
        }
        None => Ok(None),
    }
}

/// A terminal that shows nothing of what is typed, until it is dropped.
struct Silenced {
    file: File,
    before: Termios,
}

impl Silenced {
    fn new(file: File) -> io::Result<Self> {
        let before = tcgetattr(&file)?;
        let mut silent = before.clone();
        // Ctrl-C must not end the process here, or the terminal would stay silent: it ends the line.
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VEOL] = before.special_codes[SpecialCodeIndex::VINTR];
        tcsetattr(&file, OptionalActions::Now, &silent)?;
        Ok(Silenced { file, before })
    }
}

impl Drop for Silenced {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.file, OptionalActions::Now, &self.before);
    }
}

pub(super) const VARIABLE: &str = "GROK_MPP_PASSPHRASE";
/// Longest line that a terminal takes, in bytes.
const MAX_LINE: usize = 4096;
