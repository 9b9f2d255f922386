//! What the reports look like, to people and to programs.

mod human;
mod json;
mod progress;
mod samples;
