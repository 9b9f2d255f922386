//! One panel, stores, ledger and clock.
