//! Who may import whom: style as data.
