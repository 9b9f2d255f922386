//! What a mirror run will do, decided before it does it.
