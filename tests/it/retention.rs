//! Retention against two oracles: a second implementation that shares nothing with the first but the
//! zones' offsets, and the real restic.

mod case;
mod histories;
mod naive;
mod random;
mod restic;
