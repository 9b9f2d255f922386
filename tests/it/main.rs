//! The integration tests: one binary, one link step.
#![cfg(test)]

mod support;

mod architecture;
mod cli;
mod conformance;
mod crash;
mod faults;
mod ledger;
mod mirror;
mod panel;
mod recordings;
