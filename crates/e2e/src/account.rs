//! The node's own accounts, by the part they play; all keys are public and worth nothing elsewhere.
//!
//! Each holds 2^64 - 1 base units of pathUSD at the start and pays its fees in it. The node's first three
//! accounts are left out: they pay fees in other tokens.

use alloy_primitives::{Address, address};

/// An account of the node: its address, and its secp256k1 key as `0x` and 64 hex digits.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// The account's address.
    pub address: Address,
    /// The private key, known to everyone.
    pub key: &'static str,
}

/// Account 3: where [`Anvil::fund`](crate::Anvil::fund) takes money from.
pub const BANK: Account = Account {
    address: address!("90F79bf6EB2c4f870365E785982E1f101E93b906"),
    key: "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
};

/// Account 4: pays.
pub const PAYER: Account = Account {
    address: address!("15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
    key: "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
};

/// Account 5: pays where a test needs two payers.
pub const OTHER_PAYER: Account = Account {
    address: address!("9965507D1a55bcC2695C58ba16FB37d819B0A4dc"),
    key: "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
};

/// Account 6: receives the second split unless a [`Shop`](crate::Shop) says otherwise.
pub const SECOND_SPLIT_RECIPIENT: Account = Account {
    address: address!("976EA74026E726554dB657fA54763abd0C3a0aa9"),
    key: "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
};

/// Account 7: receives the first split unless a [`Shop`](crate::Shop) says otherwise.
pub const SPLIT_RECIPIENT: Account = Account {
    address: address!("14dC79964da2C08b23698B3D3cc7Ca32193d9955"),
    key: "0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
};

/// Account 8: is paid unless a [`Shop`](crate::Shop) says otherwise.
pub const RECIPIENT: Account = Account {
    address: address!("23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f"),
    key: "0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
};

/// Account 9: pays the fees of sponsored charges.
pub const SPONSOR: Account = Account {
    address: address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720"),
    key: "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
};
