//! The integration tests: one binary, one link step.
#![cfg(test)]

pub mod support;

mod architecture;
mod config;
mod conformance;
mod destination;
mod ledger;
mod recordings;
mod report;
