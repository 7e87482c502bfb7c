//! The last answer to each question, for a time in which the backend is away: bounded in number, size and age.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::exchange::Answer;

/// The largest question and the largest answer that are kept, in bytes.
const MAX_BYTES: usize = 4 * 1024;

/// The last answer to each question. The oldest are dropped first.
pub(super) struct LastAnswers {
    max: usize,
    max_age: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    answers: HashMap<Arc<str>, Entry>,
    /// The questions in the order of their answers.
    order: BTreeMap<u64, Arc<str>>,
    next: u64,
}

struct Entry {
    number: u64,
    at: Instant,
    answer: Answer,
}

impl LastAnswers {
    pub(super) fn new(max: usize, max_age: Duration) -> Self {
        Self { max, max_age, kept: Mutex::default() }
    }

    /// Keeps the answer to `question`.
    pub(super) fn keep(&self, question: &str, answer: &Answer, now: Instant) {
        if question.len() > MAX_BYTES || answer.len() > MAX_BYTES || self.max == 0 {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *kept;
        let number = kept.next;
        kept.next += 1;
        let question: Arc<str> = question.into();
        let entry = Entry { number, at: now, answer: answer.clone() };
        if let Some(before) = kept.answers.insert(question.clone(), entry) {
            kept.order.remove(&before.number);
        }
        kept.order.insert(number, question);
        if kept.order.len() > self.max
            && let Some((_, oldest)) = kept.order.pop_first()
        {
            kept.answers.remove(&oldest);
        }
    }

    /// The last answer to `question`, unless it is too old.
    pub(super) fn get(&self, question: &str, now: Instant) -> Option<Answer> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.answers.get(question)?;
        (now.saturating_duration_since(entry.at) <= self.max_age).then(|| entry.answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Answer {
        Answer::Json(text.as_bytes().to_vec().into())
    }

    #[tokio::test]
    async fn the_last_answer_is_kept_until_it_is_too_old_or_others_are_newer() {
        let answers = LastAnswers::new(2, Duration::from_secs(60));
        let now = Instant::now();
        for (question, given) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
            answers.keep(question, &answer(given), now);
        }
        assert_eq!(answers.get("a", now), Some(answer("3")), "the newer of two");
        assert_eq!((answers.get("b", now), answers.get("c", now)), (None, Some(answer("4"))));
        assert!(answers.get("a", now + Duration::from_secs(60)).is_some());
        assert_eq!(answers.get("a", now + Duration::from_secs(61)), None);
        let kept = answers.kept.lock().expect("no panic");
        assert_eq!((kept.answers.len(), kept.order.len()), (2, 2));
    }

    #[tokio::test]
    async fn what_is_large_is_not_kept() {
        let answers = LastAnswers::new(2, Duration::from_secs(60));
        let (now, large) = (Instant::now(), "x".repeat(MAX_BYTES + 1));
        answers.keep(&large, &answer("1"), now);
        answers.keep("a", &answer(&large), now);
        assert_eq!((answers.get(&large, now), answers.get("a", now)), (None, None));
    }
}
