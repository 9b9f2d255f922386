//! The `nestegg` command.

fn main() {}
