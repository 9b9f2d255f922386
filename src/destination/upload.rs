//! An upload that becomes visible only when it is proved.
