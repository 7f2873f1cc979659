//! Secrets that are read from a file, the environment or standard input, to a bound, into memory that is wiped.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

/// A file that may hold a secret.
pub(crate) struct PrivateFile {
    pub(crate) text: Zeroizing<String>,
    /// Whether others than its owner can read it.
    exposed: bool,
}

impl PrivateFile {
    /// Reads a file, if it is text of at most `most` bytes.
    pub(crate) fn open(path: &Path, most: u64) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let metadata = file.metadata().map_err(|error| error.to_string())?;
        if metadata.len() > most {
            return Err(format!("longer than {most} bytes"));
        }
        let exposed = metadata.permissions().mode() & 0o077 != 0;
        // A pipe has no length.
        let text = read(file, most).map_err(|error| error.to_string())?;
        Ok(PrivateFile { text, exposed })
    }

    /// What it holds, unless others can read it.
    pub(crate) fn secret(self) -> Result<Zeroizing<String>, String> {
        match self.exposed {
            true => {
                Err("others can read it; run chmod 600 on it, and think about whether they have".to_owned())
            }
            false => Ok(self.text),
        }
    }
}

/// At most `most` bytes of text, into memory that does not grow, which would leave copies that nobody wipes.
pub(crate) fn read(from: impl Read, most: u64) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(most).unwrap_or_default() + 1));
    from.take(most).read_to_string(&mut text)?;
    Ok(text)
}

/// A variable of the environment; one that is empty is as good as none.
pub(crate) fn variable(name: &str) -> Option<Zeroizing<String>> {
    std::env::var(name).map(Zeroizing::new).ok().filter(|text| !text.is_empty())
}

/// Longest passphrase, bare key or token read, in bytes.
pub(crate) const MAX_SECRET: u64 = 4096;
