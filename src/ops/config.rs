//! `nestegg config`.
