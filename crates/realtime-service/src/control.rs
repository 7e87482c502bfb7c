//! Control frames, encoded and stamped.

use std::sync::Arc;

use realtime_core::{
    Frame,
    codec::{encode_control, encode_presence},
};
use realtime_ports::Clock;
use realtime_schema::{Control, Presence};

use crate::metrics::{Metrics, add};

/// Encodes control frames with the time, and counts the errors among them.
#[derive(Clone)]
pub(crate) struct ControlFrames {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
}

impl ControlFrames {
    /// The frame of `control`, stamped now.
    pub(crate) fn encode(&self, control: &Control) -> Frame {
        if matches!(control, Control::Error(_)) {
            add(&self.metrics.errors_total, 1);
        }
        encode_control(control, self.clock.now())
    }

    /// The frame of `presence`, stamped now. `whole` says whether it replaces what a client has.
    pub(crate) fn encode_presence(&self, presence: &Presence, whole: bool) -> Frame {
        encode_presence(presence, whole, self.clock.now())
    }
}
