//! What a person at a terminal sees: the line of a wait, Markdown and code in colour, pictures, and files of their own for
//! what is no text.
//!
//! In: text and bytes as a service sent them, never trusted. Out: text for a terminal that holds no escape sequence but
//! those made here. Into a pipe or a file everything goes as it came.

mod code;
mod file;
mod look;
mod markdown;
mod math;
mod picture;
mod table;
mod text;
mod waiting;

pub(crate) use code::highlight;
pub(crate) use file::{Kind, Saved, save, slug};
pub(crate) use look::{Color, Look, choose, look, width};
pub(crate) use markdown::render;
pub(crate) use picture::show_image;
pub(crate) use text::{faint, paragraph};
pub(crate) use waiting::{aside, come, is_told_to_end, state, told_to_end, unless_told_to_end, wait};
