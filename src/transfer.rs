//! One backup: link → bytes → uploads → verify → commit.

pub mod inspect;
pub mod pump;
pub mod source;
