//! The ledger file: migrations, locks, refusals.
