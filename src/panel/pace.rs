//! Staying under the panel's rate limit over all concurrent work.
//!
//! Panels count requests per user in a window of one minute (`panel-contract.md` section 1). The
//! budget leaves a twentieth of it free and never lets more than a quarter go in one burst, so that
//! no window, wherever it starts, holds more than 95 % of the limit.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use governor::Quota;
use governor::RateLimiter;
use governor::clock::Clock;
use governor::clock::MonotonicClock;
use governor::clock::Reference as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::InMemoryState;
use governor::state::NotKeyed;

/// Assumed until an answer says otherwise: the lowest limit that a released panel has.
const ASSUMED_LIMIT: u32 = 120;
/// Limits above this are not worth pacing for.
const HIGHEST_LIMIT: u32 = 1_000_000;

/// What an answer says about the user's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// `X-RateLimit-Limit`: requests a window.
    pub(super) limit: Option<u32>,
    /// `X-RateLimit-Remaining`: what is left of it, browsers and other keys of the user counted.
    pub(super) remaining: Option<u32>,
}

/// Hands out turns; clones share one budget.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    queue: Arc<tokio::sync::Mutex<()>>,
    core: Arc<Mutex<Core<MonotonicClock>>>,
}

impl Pace {
    /// A pace for windows of this length.
    pub(super) fn new(window: Duration) -> Self {
        Self {
            queue: Arc::default(),
            core: Arc::new(Mutex::new(Core::new(window, MonotonicClock))),
        }
    }

    /// Waits, first come first served, until one request may be sent.
    pub(super) async fn turn(&self) {
        let _place = self.queue.lock().await;
        while let Err(wait) = self.with(Core::ask) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes in what an answer said.
    pub(super) fn learn(&self, budget: Budget) {
        self.with(|core| core.learn(budget));
    }

    /// Lets nobody send for this long.
    pub(super) fn pause(&self, wait: Duration) {
        self.with(|core| core.pause(wait));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Core<MonotonicClock>) -> T) -> T {
        act(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The decisions, apart from the waiting.
#[derive(Debug)]
struct Core<C: Clock> {
    clock: C,
    window: Duration,
    limit: u32,
    burst: NonZeroU32,
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    /// Turns given since the limiter was made.
    given: u32,
    paused_until: Option<C::Instant>,
}

impl<C: Clock + Clone> Core<C> {
    fn new(window: Duration, clock: C) -> Self {
        let (burst, quota) = quota(ASSUMED_LIMIT, window);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            window,
            limit: ASSUMED_LIMIT,
            burst,
            given: 0,
            paused_until: None,
        }
    }

    /// A turn, or how long to wait before asking again.
    fn ask(&mut self) -> Result<(), Duration> {
        let now = self.clock.now();
        if let Some(until) = self.paused_until {
            let wait: Duration = until.duration_since(now).into();
            if !wait.is_zero() {
                return Err(wait);
            }
            self.paused_until = None;
        }
        match self.limiter.check() {
            Ok(()) => {
                self.given = self.given.saturating_add(1);
                Ok(())
            }
            Err(early) => Err(early.wait_time_from(now).max(Duration::from_micros(1))),
        }
    }

    fn learn(&mut self, budget: Budget) {
        if let Some(limit) = budget.limit.map(|limit| limit.clamp(1, HIGHEST_LIMIT))
            && limit != self.limit
        {
            self.adopt(limit, budget.remaining);
        }
        if budget.remaining == Some(0) {
            self.pause(self.window);
        }
    }

    /// Starts a budget of its own for the new limit, with what was already used taken off.
    fn adopt(&mut self, limit: u32, remaining: Option<u32>) {
        let (burst, quota) = quota(limit, self.window);
        let counted = remaining.map_or(u32::MAX, |remaining| limit.saturating_sub(remaining));
        let used = counted.max(self.given).min(burst.get());
        self.limiter = RateLimiter::direct_with_clock(quota, self.clock.clone());
        self.limit = limit;
        self.burst = burst;
        self.given = used;
        if let Some(used) = NonZeroU32::new(used)
            && !matches!(self.limiter.check_n(used), Ok(Ok(())))
        {
            tracing::debug!(
                limit,
                used = used.get(),
                "could not charge a new rate limit"
            );
        }
    }

    fn pause(&mut self, wait: Duration) {
        let until = self.clock.now() + Nanos::from(wait);
        self.paused_until = Some(
            self.paused_until
                .map_or(until, |earlier| earlier.max(until)),
        );
    }
}

/// Burst and refill for a limit: burst + refill over one window ≤ 95 % of the limit, or one
/// request a window where that is none.
fn quota(limit: u32, window: Duration) -> (NonZeroU32, Quota) {
    let budget = u32::try_from(u64::from(limit) * 95 / 100).unwrap_or(limit);
    let burst = NonZeroU32::new(limit / 4).unwrap_or(NonZeroU32::MIN);
    let refill = budget.saturating_sub(burst.get());
    let period = if refill == 0 {
        window + window / 10
    } else {
        window / refill + Duration::from_nanos(1)
    };
    let quota = Quota::with_period(period)
        .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst);
    (burst, quota)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_mins(1);

    fn says(limit: u32, remaining: u32) -> Budget {
        Budget {
            limit: Some(limit),
            remaining: Some(remaining),
        }
    }

    /// Asks as fast as allowed for ten windows; the most turns that fell into any one window.
    fn most_in_a_window(core: &mut Core<FakeRelativeClock>, window: Duration) -> usize {
        let (mut sent, mut most) = (VecDeque::new(), 0);
        let mut now = Duration::ZERO;
        while now < window * 10 {
            match core.ask() {
                Ok(()) => {
                    sent.push_back(now);
                    while sent.front().is_some_and(|first| *first + window <= now) {
                        sent.pop_front();
                    }
                    most = most.max(sent.len());
                }
                Err(wait) => {
                    core.clock.advance(wait);
                    now += wait;
                }
            }
        }
        most
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_window_holds_more_than_the_budget(limit in 1_u32..2000, window_ms in 50_u64..120_000) {
            let window = Duration::from_millis(window_ms);
            let mut core = Core::new(window, FakeRelativeClock::default());
            core.learn(says(limit, limit));
            let most = most_in_a_window(&mut core, window);
            let budget = usize::try_from((limit * 95 / 100).max(1)).unwrap();
            prop_assert!(most <= budget, "{most} of {limit}");
            prop_assert!(most + 1 >= budget, "{most} of {limit} wastes the budget");
        }
    }

    #[test]
    fn the_lowest_limit_of_any_panel_is_assumed_before_the_first_answer() {
        let mut core = Core::new(WINDOW, FakeRelativeClock::default());
        assert_eq!(most_in_a_window(&mut core, WINDOW), 113);
    }

    #[test]
    fn what_was_sent_under_the_assumed_limit_counts_under_the_learned_one() {
        let mut core = Core::new(WINDOW, FakeRelativeClock::default());
        let given = (0..100).filter(|_| core.ask().is_ok()).count();
        assert_eq!(given, 30);
        core.learn(says(256, 255));
        let more = (0..100).filter(|_| core.ask().is_ok()).count();
        assert_eq!(more, 64 - 30);
        core.learn(says(256, 100));
        assert!(
            core.ask().is_err(),
            "the same limit again gives nothing new"
        );
    }

    #[test]
    fn what_others_used_of_the_bucket_is_taken_off() {
        let mut core = Core::new(WINDOW, FakeRelativeClock::default());
        core.learn(says(720, 20));
        assert!(core.ask().is_err());
    }

    #[test]
    fn an_empty_bucket_stops_everybody_for_a_window() {
        let mut core = Core::new(WINDOW, FakeRelativeClock::default());
        core.learn(says(720, 0));
        assert_eq!(core.ask(), Err(WINDOW));
        core.clock.advance(Duration::from_secs(59));
        assert_eq!(core.ask(), Err(Duration::from_secs(1)));
        core.clock.advance(Duration::from_secs(1));
        assert_eq!(core.ask(), Ok(()));
    }

    #[test]
    fn the_longer_of_two_pauses_holds() {
        let mut core = Core::new(WINDOW, FakeRelativeClock::default());
        core.pause(Duration::from_secs(30));
        core.pause(Duration::from_secs(5));
        assert_eq!(core.ask(), Err(Duration::from_secs(30)));
    }

    #[test]
    fn answers_without_the_headers_change_nothing() {
        let mut core = Core::new(WINDOW, FakeRelativeClock::default());
        core.learn(Budget {
            limit: None,
            remaining: None,
        });
        assert_eq!(core.ask(), Ok(()));
        assert_eq!(core.limit, ASSUMED_LIMIT);
    }
}
