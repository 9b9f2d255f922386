//! The gzip and tar inside, walked to their end.
