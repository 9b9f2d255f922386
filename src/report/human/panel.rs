//! What panels were asked for, and what came of it, for people.

mod backups;
mod create;
mod freed;
mod lock;
mod servers;

pub use backups::backups;
pub use backups::skipped;
pub use create::create;
pub use create::create_notes;
pub use create::waiting;
pub use freed::delete;
pub use freed::restore;
pub use freed::trim;
pub use lock::lock;
pub use servers::servers;
