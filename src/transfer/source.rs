//! The bytes of one archive, resumed when they break off.
