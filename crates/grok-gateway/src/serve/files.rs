//! How many files, which connections are too, this process may have open: without them nothing can be settled either.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::settings::Limits;

/// Makes it as many as are allowed; by default it is often 1024.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where that is refused, it stays as it was, which the checks tell.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// How many there may be, if those are too few for all connections that the limits allow.
pub(crate) fn too_few(limits: &Limits) -> Option<u64> {
    // Each request may ask an upstream or the node.
    let needed = limits.connections.get().saturating_add(limits.requests.get()).saturating_add(OTHERS);
    let most = getrlimit(Resource::Nofile).maximum?;
    (most < u64::try_from(needed).unwrap_or(u64::MAX)).then_some(most)
}

/// The database, the listeners, and some to spare.
const OTHERS: usize = 64;
