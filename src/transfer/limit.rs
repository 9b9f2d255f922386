//! `--limit-rate`: one bandwidth limit over all transfers of a run.

use std::num::NonZeroU32;

use governor::DefaultDirectRateLimiter;
use governor::Quota;
use governor::RateLimiter;

/// Lets bytes pass at a bounded rate, or freely.
#[derive(Debug)]
pub struct Throttle {
    limiter: Option<DefaultDirectRateLimiter>,
    burst_bytes: u32,
}

impl Throttle {
    /// No limit.
    pub const fn none() -> Self {
        Self {
            limiter: None,
            burst_bytes: u32::MAX,
        }
    }

    /// At most `bytes_per_second` on average, with bursts of at most a tenth of a second.
    ///
    /// A limit of 4 GiB/s and more is none.
    pub fn new(bytes_per_second: u64) -> Self {
        let Ok(rate) = u32::try_from(bytes_per_second.max(1)) else {
            return Self::none();
        };
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(rate.get() / 10).unwrap_or(NonZeroU32::MIN);
        Self {
            limiter: Some(RateLimiter::direct(
                Quota::per_second(rate).allow_burst(burst),
            )),
            burst_bytes: burst.get(),
        }
    }

    /// Waits until `bytes` more may pass.
    pub async fn pass(&self, bytes: usize) {
        let Some(limiter) = &self.limiter else {
            return;
        };
        let mut left = u64::try_from(bytes).unwrap_or(u64::MAX);
        while left > 0 {
            let piece = u32::try_from(left)
                .unwrap_or(u32::MAX)
                .min(self.burst_bytes);
            left -= u64::from(piece);
            if let Some(piece) = NonZeroU32::new(piece)
                && limiter.until_n_ready(piece).await.is_err()
            {
                tracing::warn!("a piece larger than the bandwidth limit's burst passed unlimited");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_limited_stream_takes_at_least_its_time() {
        let throttle = Throttle::new(1 << 20);
        let began = Instant::now();
        throttle.pass(512 << 10).await;
        // Half a second's worth, less the burst of a tenth.
        assert!(
            began.elapsed() >= Duration::from_millis(380),
            "{:?}",
            began.elapsed()
        );
    }
}
