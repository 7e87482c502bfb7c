//! Policies as they are written in TOML.

use std::time::Duration;

use realtime_schema::{Audience, Route};

use super::*;
use crate::config::{
    Config,
    tests::{problems, usable},
};

fn config(text: &str) -> Config {
    let namespaces = toml::from_str::<Config>(text).expect("namespaces").namespaces;
    Config { namespaces, ..usable() }
}

fn overflow(text: &str) -> Overflow {
    let namespaces = policies(&config(text).namespaces, Overflow::Close);
    namespaces.overflow(&Audience::from(Route::All))
}

#[test]
fn a_history_has_defaults_and_drops_for_slow_readers_unless_it_says_otherwise() {
    let list = config(
        "[[namespaces]]\npattern = \"topic:order:*\"\nhistory = { size = 10, read = \"subscribers\" }\n\
         publish = \"subscribers\"\n\
         [[namespaces]]\npattern = \"user\"\nhistory = {}\n\
         [[namespaces]]\npattern = \"all\"",
    );
    assert!(list.check().is_ok());
    let [order, user, all] = &list.namespaces[..] else { panic!("three namespaces") };
    let expected = Retention { size: 10, age: Duration::from_secs(3600), bytes: 1024 * 1024 };
    let order = policy(order);
    assert_eq!((order.history, order.overflow), (Some(expected), Overflow::Drop));
    assert_eq!((order.read, order.publish), (HistoryRead::Subscribers, PublishPolicy::Subscribers));
    assert_eq!(policy(user).history, Some(Retention::default()));
    assert_eq!((policy(all).history, policy(all).overflow), (None, Overflow::Close));

    assert_eq!(overflow("[[namespaces]]\npattern = \"all\"\nhistory = {}\noverflow = \"close\""), Overflow::Close);
    assert_eq!(overflow("[[namespaces]]\npattern = \"all\"\noverflow = \"latest\""), Overflow::Latest);
}

#[test]
fn a_history_that_can_not_work_is_refused_with_what_to_write() {
    let list = config(
        "[[namespaces]]\npattern = \"all\"\nhistory = {}\noverflow = \"latest\"\n\
         [[namespaces]]\npattern = \"user\"\nhistory = { size = 0, age = \"0s\", bytes = 0 }\npublish = \"subscribers\"",
    );
    let found = problems(&list);
    assert!(found[0].starts_with("namespaces[0].overflow: ") && found[0].contains("write `overflow = \"drop\"`"));
    let keys: Vec<_> = found.iter().filter_map(|problem| problem.split(':').next()).collect();
    let second = ["publish", "history.size", "history.age", "history.bytes"].map(|key| format!("namespaces[1].{key}"));
    assert_eq!(keys[1..], second);
}

#[test]
fn a_history_that_is_smaller_than_one_message_is_warned_about() {
    let warned = |bytes: u64| {
        let text = format!("[[namespaces]]\npattern = \"all\"\nhistory = {{ bytes = {bytes} }}");
        let mut warnings = Problems::default();
        warn(&config(&text).namespaces, 1000, &mut warnings);
        warnings.into_list().into_iter().map(|warning| warning.key).collect::<Vec<_>>()
    };
    assert_eq!(warned(999), ["namespaces[0].history.bytes"]);
    assert!(warned(1000).is_empty());
}
