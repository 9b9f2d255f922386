//! Real storage servers, installed and started by the tests.
