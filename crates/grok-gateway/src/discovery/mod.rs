//! What clients and agents read before they buy, made from the table of routes.

pub(crate) mod llms;
pub(crate) mod openapi;
mod schema;
