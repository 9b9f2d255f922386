//! `nestegg list`.
