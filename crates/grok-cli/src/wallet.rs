//! Where the private key comes from: a file nobody else can read, the environment, or, for a sandbox, nowhere.

use std::path::Path;

use mpp_core::tempo::LocalSigner;
use zeroize::Zeroizing;

use crate::failure::Failure;

const VARIABLE: &str = "GROK_MPP_PRIVATE_KEY";
/// Longest key file read, in bytes; a key takes 66.
const MAX_KEY_FILE: u64 = 4096;

/// The key of `--key-file`, else of the environment.
pub(crate) fn load(file: Option<&Path>) -> Result<LocalSigner, Failure> {
    let variable = std::env::var(VARIABLE).map(Zeroizing::new).ok().filter(|text| !text.is_empty());
    match (file, variable) {
        (Some(path), _) => from_file(path),
        (None, Some(text)) => {
            LocalSigner::from_hex(&text).map_err(|error| Failure::usage(format!("{VARIABLE}: {error}")))
        }
        (None, None) => Err(Failure::usage(format!(
            "no wallet: give --key-file FILE or set {VARIABLE}, or try --sandbox, which needs none"
        ))),
    }
}

fn from_file(path: &Path) -> Result<LocalSigner, Failure> {
    let wrong = |why: String| Failure::usage(format!("key file {}: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| wrong(error.to_string()))?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err(wrong(
            "others can read it; run chmod 600 on it, and think about whether they have".into(),
        ));
    }
    if metadata.len() > MAX_KEY_FILE {
        return Err(wrong("too long for a private key of 64 hexadecimal digits".into()));
    }
    let text = std::io::read_to_string(file).map(Zeroizing::new).map_err(|error| wrong(error.to_string()))?;
    LocalSigner::from_hex(&text).map_err(|error| wrong(error.to_string()))
}

/// A key that nobody knows, for money that is none.
pub(crate) fn throw_away() -> Result<LocalSigner, Failure> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice())
        .map_err(|error| Failure::unpaid(format!("no randomness: {error}")))?;
    LocalSigner::from_bytes(&key).map_err(|error| Failure::unpaid(error.to_string()))
}
