//! The integration tests: one binary, one link step.
#![cfg(test)]

pub mod support;

mod architecture;
mod backup_disk;
mod bad_day;
mod cli;
mod config;
mod conformance;
mod crash;
mod destination;
mod drill;
mod encrypt;
mod extract;
mod faults;
mod keep;
mod ledger;
mod ledger_commands;
mod mirror;
mod panel;
mod panel_commands;
mod protect;
mod prune;
mod recordings;
mod reference_model;
mod report;
mod restore;
mod retention;
mod to_panel;
mod verify;
