//! A store that fails, hangs or dies at the n-th effect.
