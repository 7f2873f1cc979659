//! `completions` and `man`: what is made of the command line's own description.

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output;

/// Prints a shell's completions.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "grok-mpp", &mut script);
    output::printed(output::print_raw(&String::from_utf8_lossy(&script)), None)
}

/// Prints the manual page of a command.
pub(crate) fn man(words: &[String]) -> Result<(), Failure> {
    let mut whole = Cli::command();
    whole.build();
    let command = words.iter().try_fold(&whole, |command, word| command.find_subcommand(word));
    let command = command.ok_or_else(|| {
        Failure::usage(format!("there is no command {}", mpp_core::printable(&words.join(" "), MAX_SHOWN)))
    })?;
    let mut page = Vec::new();
    let rendered = Man::new(command.clone()).source(VERSION).render(&mut page);
    rendered.map_err(|error| Failure::unpaid(format!("cannot write the page: {error}")))?;
    output::printed(output::print_raw(&String::from_utf8_lossy(&page)), None)
}

/// What the pages are of.
const VERSION: &str = concat!("grok-mpp ", env!("CARGO_PKG_VERSION"));
/// Longest part of a command that is shown, in characters.
const MAX_SHOWN: usize = 100;
