//! Settings with a history of every stream.

use std::time::Duration;

use realtime_core::policy::{Namespace, Namespaces, Overflow, Retention};
use realtime_service::Settings;

/// Settings in which all streams have a history of `size` messages, for ten minutes and up to 1 MiB each: the topics
/// `order:*`, users, roles and all. For [`WorldBuilder::settings`](crate::WorldBuilder::settings).
pub fn with_history(size: u32) -> impl Fn(&mut Settings) {
    move |settings: &mut Settings| {
        let kept = ["topic:order:*", "user", "role:*", "all"].map(|pattern| {
            let mut namespace = Namespace::new(pattern.parse().expect("a pattern"));
            namespace.history = Some(Retention { size, age: Duration::from_secs(600), bytes: 1 << 20 });
            namespace.overflow = Overflow::Drop;
            namespace
        });
        settings.namespaces = Namespaces::new(kept.into(), Overflow::Close);
    }
}
