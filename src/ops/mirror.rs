//! `nestegg mirror`.
