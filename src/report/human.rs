//! Reports for people: plain lines and tables.
//!
//! Foreign text (names, reasons, messages) is made fit to print on its way out; what a panel
//! calls a server can neither move the cursor nor add a line.

mod drill;
mod errors;
mod holdings;
pub mod ledger;
pub mod mark;
pub mod panel;
mod plan;
mod prune;
mod restore;
mod style;
mod summary;
mod verify;

pub use drill::drill;
pub use drill::drill_errors;
pub use errors::errors;
pub use errors::failure;
pub use errors::mirror_errors;
pub use errors::verify_errors;
pub use errors::whole_failure;
pub use holdings::list;
pub use holdings::status;
pub use plan::plan;
pub use prune::prune_errors;
pub use prune::prune_summary;
pub use restore::restore;
pub use restore::restore_errors;
pub use restore::sheet;
pub use style::Color;
pub use style::Style;
pub use summary::mirror_line;
pub use summary::mirror_summary;
pub use verify::verify_line;
pub use verify::verify_summary;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Nothing when all is well.
    Quiet,
    /// What was done, in short.
    Normal,
}
