//! The integration tests: one binary, one link step.
#![cfg(test)]

mod recordings;
