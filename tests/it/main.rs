//! The integration tests: one binary, one link step.
#![cfg(test)]

pub mod support;

mod architecture;
mod cli;
mod config;
mod conformance;
mod crash;
mod destination;
mod encrypt;
mod faults;
mod ledger;
mod ledger_commands;
mod mirror;
mod panel;
mod recordings;
mod reference_model;
mod report;
mod restore;
mod verify;
