//! The order in which a subscriber is to receive messages.

use std::cmp::Ordering;

/// The order in which messages are to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// One sequence: 0, 1, 2 and so on.
    One,
    /// A sequence for each topic: message `n` of topic `t` has the number `t * LANE + n`.
    PerTopic,
}

/// More messages than a topic of a case has.
pub(crate) const LANE: u64 = 100_000;

/// The next number that a subscriber is to receive.
pub(super) enum Expected {
    One(u64),
    /// Of each topic from which something came.
    PerTopic(Vec<(u64, u64)>),
}

impl Expected {
    pub(super) fn new(order: Order) -> Self {
        match order {
            Order::One => Self::One(0),
            Order::PerTopic => Self::PerTopic(Vec::new()),
        }
    }

    /// How the number that came compares with the expected one: less is a repeated message, greater a missing one.
    pub(super) fn check(&mut self, number: u64) -> Ordering {
        let (number, next) = match self {
            Self::One(next) => (number, next),
            Self::PerTopic(topics) => {
                let (topic, number) = (number / LANE, number % LANE);
                let at = topics.iter().position(|(known, _)| *known == topic).unwrap_or_else(|| {
                    topics.push((topic, 0));
                    topics.len() - 1
                });
                (number, &mut topics[at].1)
            }
        };
        let order = number.cmp(next);
        *next = number + 1;
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_and_a_missing_message_are_noticed() {
        let mut expected = Expected::new(Order::One);
        let order: Vec<_> = [0, 1, 1, 3].map(|number| expected.check(number)).into();
        assert_eq!(order, [Ordering::Equal, Ordering::Equal, Ordering::Less, Ordering::Greater]);
    }

    #[test]
    fn topics_may_interleave_but_each_keeps_its_order() {
        let mut expected = Expected::new(Order::PerTopic);
        let numbers = [LANE * 7, 0, LANE * 7 + 1, 1, LANE * 7 + 3, 1];
        let order: Vec<_> = numbers.map(|number| expected.check(number)).into();
        let equal = [Ordering::Equal; 4];
        assert_eq!(order, [&equal[..], &[Ordering::Greater, Ordering::Less]].concat());
    }
}
