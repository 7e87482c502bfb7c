//! One hook: its requests, sent within their deadline, and what decides while the backend is away.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use realtime_schema::{HookName, MessageId, Timestamp};
use reqwest::Url;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    answers::{Checked, read},
    breaker::{Breaker, Change},
    config::{HookConfig, HookConfigError, HttpHooksConfig, OnFailure},
    error::HttpHookError,
    exchange::{Answer, Exchange, Expects, Outgoing},
    gate::Gate,
    last_answers::LastAnswers,
    stats::{Fallback, HookStats, Stats},
};
use crate::{error_chain, rate_limited_log::RateLimitedLog};

/// The longest pause before the first retry; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// One hook.
pub(super) struct Hook {
    name: HookName,
    url: Url,
    config: HookConfig,
    exchange: Arc<Exchange>,
    gate: Gate,
    breaker: Breaker,
    last: Option<LastAnswers>,
    stats: Stats,
    log: RateLimitedLog,
}

/// The outcome of a question.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    /// The backend answered, now or before.
    Answer(T),
    /// The backend refused with 403, and this message.
    Denied(Option<String>),
    /// The backend is away, and the hook allows what it can't ask about.
    Allowed,
}

impl Hook {
    pub(super) fn new(
        name: HookName,
        config: &HookConfig,
        all: &HttpHooksConfig,
        exchange: Arc<Exchange>,
    ) -> Result<Self, HookConfigError> {
        Ok(Self {
            name,
            url: config.checked_url(name)?,
            exchange,
            gate: Gate::new(all.concurrency, all.queue),
            breaker: Breaker::new(all.breaker),
            last: (config.on_failure == OnFailure::Last)
                .then(|| LastAnswers::new(all.last_answers, all.last_answer_age)),
            stats: Stats::default(),
            log: RateLimitedLog::default(),
            config: config.clone(),
        })
    }

    pub(super) fn stats(&self) -> HookStats {
        self.stats.snapshot(self.name, self.breaker.state(), self.gate.waiting(), self.gate.pending())
    }

    /// Asks the backend. While it is away, the hook's `on_failure` decides; `question` identifies the same question.
    ///
    /// # Errors
    /// There is no answer, and nothing else decides.
    pub(super) async fn ask<T: Checked>(
        &self,
        id: MessageId,
        request: &impl Serialize,
        question: &str,
    ) -> Result<Outcome<T>, HttpHookError> {
        let body = body_of(request);
        let outgoing = Outgoing { hook: self.name, id, body, expects: Expects::Answer };
        let error = match self.send(&outgoing, Instant::now() + self.config.timeout, self.config.retries).await {
            Ok(answer) => match meaning(&answer) {
                Ok(outcome) => {
                    if let Some(last) = &self.last {
                        last.keep(question, &answer, Instant::now());
                    }
                    return Ok(outcome);
                }
                Err(error) => {
                    self.stats.failure(&error);
                    error
                }
            },
            Err(error) => error,
        };
        self.warn(&error);
        if error.is_away() {
            if self.config.on_failure == OnFailure::Allow {
                self.stats.fallback(Fallback::Allowed);
                return Ok(Outcome::Allowed);
            }
            let answer = self.last.as_ref().and_then(|last| last.get(question, Instant::now()));
            if let Some(outcome) = answer.and_then(|answer| meaning(&answer).ok()) {
                self.stats.fallback(Fallback::Last);
                return Ok(outcome);
            }
        }
        self.stats.fallback(Fallback::Refused);
        Err(error)
    }

    /// Sends a request, and again after a failure that may pass, at most `retries` times and until `deadline`.
    pub(super) async fn send(
        &self,
        outgoing: &Outgoing,
        deadline: Instant,
        retries: u32,
    ) -> Result<Answer, HttpHookError> {
        let mut attempt = 0;
        loop {
            let error = match self.attempt(outgoing, deadline, attempt > 0).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            self.stats.failure(&error);
            let pause = jittered(FIRST_PAUSE.saturating_mul(1 << attempt.min(10)));
            let is_last = attempt >= retries || Instant::now() + pause >= deadline;
            if is_last || !error.may_be_retried(self.config.idempotent) {
                return Err(error);
            }
            sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, outgoing: &Outgoing, deadline: Instant, is_retry: bool) -> Result<Answer, HttpHookError> {
        let _permit = self.gate.enter(deadline).await?;
        let begun = Instant::now();
        let passage = self.breaker.pass(begun).ok_or(HttpHookError::BreakerOpen)?;
        let limit = self.config.attempt_timeout.min(deadline.saturating_duration_since(begun));
        let outcome = self.exchange.attempt(&self.url, outgoing, limit).await;
        self.stats.attempt(is_retry, begun.elapsed());
        let is_away = outcome.as_ref().is_err_and(HttpHookError::is_away);
        let change = if is_away { passage.failed(Instant::now()) } else { passage.succeeded() };
        let hook = self.name.as_str();
        match (change, &outcome) {
            (Change::Opened, Err(error)) => {
                let error = error_chain::one_line(error);
                tracing::warn!(hook, error, "the backend fails: requests of this hook are not sent for a while");
            }
            (Change::Closed, _) => tracing::info!(hook, "the backend responds again"),
            _ => {}
        }
        outcome
    }

    /// Time until the circuit breaker may let a request through.
    pub(super) fn breaker_wait(&self) -> Duration {
        self.breaker.wait(Instant::now())
    }

    /// The longest that one attempt may take.
    pub(super) fn attempt_timeout(&self) -> Duration {
        self.config.attempt_timeout
    }

    /// Logs a failure, at most once a second.
    pub(super) fn warn(&self, error: &HttpHookError) {
        let hook = self.name.as_str();
        self.log.write(|times| tracing::warn!(hook, times, error = error_chain::one_line(error), "a hook failed"));
    }
}

fn meaning<T: Checked>(answer: &Answer) -> Result<Outcome<T>, HttpHookError> {
    match answer {
        Answer::Json(body) => read(body).map(Outcome::Answer),
        Answer::Denied(message) => Ok(Outcome::Denied(message.clone())),
    }
}

/// The body of a request.
pub(super) fn body_of(request: &impl Serialize) -> Bytes {
    serde_json::to_vec(request).expect("a request has text keys only").into()
}

/// A new id of a request.
pub(super) fn request_id() -> MessageId {
    MessageId(Uuid::now_v7())
}

/// The time of a request.
pub(super) fn now() -> Timestamp {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Timestamp::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// A random part of `longest`: full jitter, so that many requests that fail together are not retried together.
pub(super) fn jittered(longest: Duration) -> Duration {
    let random = Uuid::new_v4().as_u128() & u128::from(u32::MAX);
    let fraction = u32::try_from(random).map_or(0.0, f64::from) / f64::from(u32::MAX);
    longest.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_a_part_of_the_longest_pause_and_varies() {
        let pauses: Vec<_> = (0..50).map(|_| jittered(Duration::from_secs(1))).collect();
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(1)));
        assert!(pauses.iter().max() > pauses.iter().min());
    }
}
