//! Fan-out to n uploads with bounded memory.
