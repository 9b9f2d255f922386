//! Staying under the panel's rate limit over all concurrent work.
