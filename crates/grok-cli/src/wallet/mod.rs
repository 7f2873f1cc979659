//! The wallet: where what signs payments is, by argument, environment, config file or in its usual place, in this order. A key
//! is in a file, a keystore or bare, or in the environment; or another program signs; or, for a sandbox, it is thrown away.

mod keystore;
mod make;
mod passphrase;
mod remote;
mod show;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mpp_core::tempo::{AccessKey, Address, LocalSigner, Signer};
use zeroize::Zeroizing;

use crate::args::{WalletArgs, WalletCommand};
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::secret::{PrivateFile, variable};
use keystore::Keystore;
use remote::RemoteSigner;
pub(crate) use remote::SignerCommand;

/// Does what one of the wallet's commands says.
pub(crate) async fn wallet(command: &WalletCommand) -> Result<(), Failure> {
    match command {
        WalletCommand::New(args) => make::new(args),
        WalletCommand::Import(args) => make::import(args),
        WalletCommand::Address(args) => show::address(args).await,
        WalletCommand::Balance(args) => show::balance(args).await,
        WalletCommand::Fund(args) => show::fund(args).await,
    }
}

/// Where what signs is.
pub(crate) enum Source {
    File(PathBuf),
    Variable(Zeroizing<String>),
    Command(SignerCommand),
}

impl Source {
    /// What holds now, if anything does.
    pub(crate) fn find(args: &WalletArgs, config: &Config) -> Result<Option<Self>, Failure> {
        if let Some(path) = &args.key_file {
            return Ok(Some(Source::File(path.clone())));
        }
        if let Some(text) = &args.signer_command {
            let command = SignerCommand::parse(text);
            let command = command.map_err(|why| Failure::usage(format!("--signer-command {why}")))?;
            return Ok(Some(Source::Command(command)));
        }
        if let Some(key) = variable(VARIABLE) {
            return Ok(Some(Source::Variable(key)));
        }
        if let Some(source) = &config.wallet {
            return Ok(Some(match source {
                config::Wallet::File(path) => Source::File(path.clone()),
                config::Wallet::Command(command) => Source::Command(command.clone()),
            }));
        }
        Ok(config::default_wallet().filter(|path| path.exists()).map(Source::File))
    }

    fn expect(args: &WalletArgs, config: &Config) -> Result<Self, Failure> {
        Source::find(args, config)?.ok_or_else(|| {
            Failure::usage(format!(
                "no wallet: make one by grok-mpp wallet new, give --key-file FILE or set {VARIABLE}, or try --sandbox, \
                 which needs none"
            ))
        })
    }
}

/// What signs.
pub(crate) async fn load(args: &WalletArgs, config: &Config) -> Result<Arc<dyn Signer>, Failure> {
    let passphrase_file = args.passphrase_file.as_deref();
    let signer: Arc<dyn Signer> = match Source::expect(args, config)? {
        Source::Variable(key) => Arc::new(from_variable(&key)?),
        Source::File(path) => Arc::new(open(KeyFile::read(&path)?, &path, passphrase_file)?),
        Source::Command(command) => Arc::new(RemoteSigner::connect(command).await?),
    };
    Ok(match root_account(args, config) {
        Some(account) => Arc::new(AccessKey::new(account, signer)),
        None => signer,
    })
}

/// The account of an access key.
pub(crate) fn root_account(args: &WalletArgs, config: &Config) -> Option<Address> {
    args.root_account.or(config.root_account)
}

/// Whose payments are signed. A keystore that names its address is taken by its word: who could change that could as well
/// put another keystore there.
async fn address(args: &WalletArgs, config: &Config) -> Result<Address, Failure> {
    if let Some(account) = root_account(args, config) {
        return Ok(account);
    }
    if let Source::File(path) = Source::expect(args, config)?
        && let KeyFile::Keystore(Keystore { address: Some(address), .. }) = KeyFile::read(&path)?
    {
        return Ok(address);
    }
    Ok(load(args, config).await?.address())
}

/// A key that nobody knows, for money that is none.
pub(crate) fn throw_away() -> Result<Arc<dyn Signer>, Failure> {
    let key = random()?;
    let signer = LocalSigner::from_bytes(&key).map_err(|error| Failure::unpaid(error.to_string()))?;
    Ok(Arc::new(signer))
}

/// What a key file turned out to hold.
enum KeyFile {
    Bare(LocalSigner),
    Keystore(Keystore),
}

impl KeyFile {
    fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::usage(format!("key file {}: {why}", path.display()));
        let file = PrivateFile::open(path, MAX_KEY_FILE).map_err(wrong)?;
        if file.text.trim_start().starts_with('{') {
            return Keystore::parse(&file.text).map(KeyFile::Keystore).map_err(wrong);
        }
        let text = file.secret().map_err(wrong)?;
        LocalSigner::from_hex(&text).map(KeyFile::Bare).map_err(|error| wrong(error.to_string()))
    }
}

fn open(file: KeyFile, path: &Path, passphrase_file: Option<&Path>) -> Result<LocalSigner, Failure> {
    match file {
        KeyFile::Bare(signer) => Ok(signer),
        KeyFile::Keystore(keystore) => {
            let passphrase = passphrase::known(passphrase_file, path)?;
            let opened = keystore.open(&passphrase);
            opened.map_err(|why| Failure::usage(format!("key file {}: {why}", path.display())))
        }
    }
}

fn from_variable(key: &str) -> Result<LocalSigner, Failure> {
    LocalSigner::from_hex(key).map_err(|error| Failure::usage(format!("{VARIABLE}: {error}")))
}

fn random<const SIZE: usize>() -> Result<Zeroizing<[u8; SIZE]>, Failure> {
    let mut bytes = Zeroizing::new([0; SIZE]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| Failure::unpaid(format!("no randomness: {error}")))?;
    Ok(bytes)
}

pub(crate) const VARIABLE: &str = "GROK_MPP_PRIVATE_KEY";
/// Longest key file read, in bytes; a keystore takes 600.
const MAX_KEY_FILE: u64 = 16 * 1024;
