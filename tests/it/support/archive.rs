//! Archives like a node's, and broken ones.
