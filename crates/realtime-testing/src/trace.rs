//! What has happened in a world, as lines of text.

use std::{fmt::Display, sync::Mutex, time::Duration};

use crate::lock;

/// Most lines that are kept; later ones are counted, not kept.
const MAX_LINES: usize = 100_000;

/// Lines of text, each with its virtual time.
#[derive(Debug, Default)]
pub(crate) struct Trace(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    text: String,
    count: usize,
    left_out: usize,
}

impl Trace {
    pub(crate) fn note(&self, at: Duration, who: impl Display, what: impl Display) {
        let mut lines = lock(&self.0);
        if lines.count == MAX_LINES {
            lines.left_out += 1;
            return;
        }
        lines.count += 1;
        let line = format!("{:.3} {who} {what}\n", at.as_secs_f64());
        lines.text.push_str(&line);
    }

    pub(crate) fn text(&self) -> String {
        let lines = lock(&self.0);
        match lines.left_out {
            0 => lines.text.clone(),
            more => format!("{}… and {more} more lines\n", lines.text),
        }
    }
}
