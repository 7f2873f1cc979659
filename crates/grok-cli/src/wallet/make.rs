//! `wallet new` and `wallet import`: a key into a keystore file, which is made for its owner alone and never written over.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use alloy_primitives::hex;
use mpp_core::tempo::LocalSigner;
use serde_json::json;
use zeroize::Zeroizing;

use super::keystore::{Keystore, Random};
use super::{Source, passphrase, random};
use crate::args::{MakeArgs, WalletArgs};
use crate::books::make_folder;
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::output;

/// Makes a key that never was.
pub(super) fn new(args: &MakeArgs) -> Result<(), Failure> {
    make(args, random)
}

/// Takes a key that is there already.
pub(super) fn import(args: &MakeArgs) -> Result<(), Failure> {
    make(args, || {
        let text = passphrase::private_key()?;
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), key.as_mut_slice())
            .map_err(|_| Failure::usage("a private key is 64 hexadecimal digits, with or without 0x"))?;
        Ok(key)
    })
}

fn make(args: &MakeArgs, key: impl FnOnce() -> Result<Zeroizing<[u8; 32]>, Failure>) -> Result<(), Failure> {
    let config = args.config.read()?;
    let path = place(args, &config)?;
    // Said before a passphrase is asked for in vain.
    if path.symlink_metadata().is_ok() {
        return Err(there(&path));
    }
    let key = key()?;
    let signer = LocalSigner::from_bytes(&key).map_err(|error| Failure::usage(error.to_string()))?;
    let passphrase = passphrase::new(args.place.passphrase_file.as_deref())?;
    let random = Random { salt: *random()?, iv: *random()?, id: *random()? };
    let text = Keystore::write(&key, signer.address(), &passphrase, &random).map_err(Failure::unpaid)?;
    write(&path, &text)?;
    let printed = match args.json {
        true => {
            output::print_json(&json!({ "address": signer.address(), "file": path.display().to_string() }))
        }
        false => output::print_text(&signer.address().to_string()),
    };
    let _ = output::note(&format!(
        "wallet written to {}; whoever loses it, or its passphrase, loses the money: keep a copy of both",
        path.display()
    ));
    let _ = match Source::find(
        &WalletArgs { key_file: args.place.key_file.clone(), ..WalletArgs::default() },
        &config,
    )? {
        Some(Source::Variable(_)) => output::note(&format!("{} is set and goes before it", super::VARIABLE)),
        Some(Source::Command(_)) => output::note("signer_command in the config file goes before it"),
        Some(Source::File(_)) | None => Ok(()),
    };
    output::printed(printed, None)
}

/// Where the wallet will be looked for.
fn place(args: &MakeArgs, config: &Config) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.place.key_file {
        return Ok(path.clone());
    }
    if let Some(config::Wallet::File(path)) = &config.wallet {
        return Ok(path.clone());
    }
    let path = config::default_wallet().ok_or_else(|| {
        Failure::unpaid("no home folder to keep the wallet in; say where with --key-file FILE")
    })?;
    make_folder(&path).map_err(|error| unwritten(&path, &error))?;
    Ok(path)
}

/// Writes a new file to the disk, or leaves none.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => there(path),
        _ => unwritten(path, &error),
    };
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
        let _ = fs::remove_file(path);
        failed(error)
    })
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::unpaid(format!("the wallet {} cannot be written: {error}", path.display()))
}

fn there(path: &Path) -> Failure {
    Failure::usage(format!(
        "{} is there already and is not written over; say where else with --key-file FILE",
        path.display()
    ))
}
