//! `nestegg status`.
