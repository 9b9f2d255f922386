//! The panel client against the fake panel.
