//! Hostile and broken panels, nodes and destinations.
