//! Clients that pay the same servers: one after the other, over a distance, many payments at once, and without a node.

mod crowd;
mod distant;
mod loopback;
mod outage;
mod peer;
mod proxy;

pub(crate) use self::crowd::{TITLE as CROWD, run as crowd};
pub(crate) use self::distant::{TITLE as DISTANT, run as distant};
pub(crate) use self::loopback::{TITLE as LOOPBACK, run as loopback};
pub(crate) use self::outage::{TITLE as OUTAGE, run as outage};
