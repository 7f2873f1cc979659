//! Whether a node surely did not take a transaction that it was handed: its refusal in, why it has not happened out. Nodes
//! also refuse what they have already, in other words; whatever is not surely one is no certainty.

/// Why a node did not take a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotTaken {
    /// It was not asked in the end: something in front of it sent the call away, or it does not know the call.
    Unserved,
    /// The payer lacks the money for amount and fee.
    Poor,
    /// The transaction's window, fee, gas limit, bytes or access key are not what the chain takes.
    Invalid,
}

impl NotTaken {
    /// Judges the `code` and `message` of a JSON-RPC error; `None` unless they say that the node did not take it.
    #[must_use]
    pub fn of_error(code: i64, message: &str) -> Option<Self> {
        if code == UNKNOWN_METHOD {
            return Some(NotTaken::Unserved);
        }
        let message = message.to_ascii_lowercase();
        let says = |words: &[&str]| REJECTED.contains(&code) && words.iter().any(|it| message.contains(it));
        match (says(&POOR), says(&INVALID)) {
            (true, _) => Some(NotTaken::Poor),
            (false, true) => Some(NotTaken::Invalid),
            (false, false) => None,
        }
    }

    /// Judges the HTTP status of the answer.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        TURNED_AWAY.contains(&status).then_some(NotTaken::Unserved)
    }
}

/// Statuses of what stands in front of a node, which has then not seen the call.
const TURNED_AWAY: [u16; 6] = [401, 403, 404, 405, 413, 429];
/// The node does not know the call, so it has done nothing.
const UNKNOWN_METHOD: i64 = -32601;
/// Invalid input, transaction rejected (EIP-1474), and invalid parameters; nodes also use the first two for
/// transactions that they have already. Other codes can stand for a transaction that waits (EIP-7966 has 4 to 6 for
/// these).
const REJECTED: [i64; 3] = [-32000, -32003, -32602];
/// What Ethereum's nodes, and Tempo's, say to a payer without money.
const POOR: [&str; 2] = ["insufficient funds", "insufficient fee token balance"];
/// What geth, reth, anvil and Tempo say of a window, a fee, a gas limit, bytes or an access key that they do not take.
const INVALID: [&str; 9] = [
    "valid_before",
    "valid_after",
    "underpriced",
    "less than block base fee",
    "intrinsic gas",
    "failed to decode",
    "transaction type not supported",
    "keychain",
    "access key expired",
];
