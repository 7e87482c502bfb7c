//! What the application gets, in the order of the machine.

use std::collections::VecDeque;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::{Driver, Wanted};
use crate::{
    delivery::{Delivery, address_of, matches},
    machine::{ConnectionPhase, Emission, deliverable},
};

/// A delivery whose readers have not all taken it.
pub(super) struct Head {
    pub(super) emission: Emission,
    delivery: Delivery,
    readers: VecDeque<mpsc::Sender<Delivery>>,
    /// A reader has it.
    taken: bool,
}

impl Head {
    /// The reader that has no room.
    pub(super) fn reader(&self) -> Option<&mpsc::Sender<Delivery>> {
        self.readers.front()
    }
}

impl Driver {
    /// Hands out what waits, until a reader has no room.
    pub(super) fn deliver(&mut self) {
        loop {
            while let Some(head) = &mut self.parts.head {
                let Some(reader) = head.readers.front() else {
                    self.parts.head = None;
                    break;
                };
                match reader.try_send(head.delivery.clone()) {
                    Err(TrySendError::Full(_)) => return,
                    Ok(()) => head.taken = true,
                    Err(TrySendError::Closed(_)) => {}
                }
                head.readers.pop_front();
            }
            let Some(emission) = self.parts.outbox.pop_front() else { return };
            if deliverable(&self.state, &emission) {
                self.emit(emission);
            }
        }
    }

    fn emit(&mut self, emission: Emission) {
        match emission {
            Emission::State(state) => {
                let connected = state.phase == ConnectionPhase::Connected;
                self.ends.connection.send_replace(state);
                self.watch_connection(connected);
            }
            Emission::Message { ref message, .. } => {
                let delivery = Delivery::Message(message.clone());
                self.address(emission, delivery);
            }
            Emission::Gap { ref gap, .. } => {
                let delivery = Delivery::Gap(gap.clone());
                self.address(emission, delivery);
            }
            Emission::Subscription { topic, generation, status } if self.state.generation_of(&topic) == generation => {
                for handle in self.parts.handles.values().filter(|handle| handle.topic == topic) {
                    handle.status.send_if_modified(|own| {
                        let changed = std::mem::discriminant(own) != std::mem::discriminant(&status);
                        if changed {
                            *own = status.clone();
                        }
                        changed
                    });
                }
            }
            Emission::Subscription { .. } => {}
            Emission::Frame { kind, payload } if kind == "presence" => self.watched(payload),
            Emission::Frame { .. } => {}
            // Without a receiver there is no one to notify.
            Emission::Error(error) => _ = self.ends.errors.send(error),
        }
    }

    /// Finds the readers of a delivery.
    fn address(&mut self, emission: Emission, delivery: Delivery) {
        let address = address_of(&delivery);
        self.parts.ears.retain(|(_, deliveries)| !deliveries.is_closed());
        let handles =
            self.parts.handles.values().filter(|handle| handle.topic == address).map(|handle| &handle.deliveries);
        let wants = |wanted: &Wanted| match (wanted, &delivery) {
            (Wanted::Pattern(pattern), _) => matches(pattern, &address),
            (Wanted::Type(pattern, kind), Delivery::Message(message)) => {
                message.kind == *kind && matches(pattern, &address)
            }
            (Wanted::Gaps, Delivery::Gap(_)) => true,
            (Wanted::Type(..), Delivery::Gap(_)) | (Wanted::Gaps, Delivery::Message(_)) => false,
        };
        let ears = self.parts.ears.iter().filter(|(wanted, _)| wants(wanted)).map(|(_, deliveries)| deliveries);
        let readers = handles.chain(ears).cloned().collect();
        self.parts.head = Some(Head { emission, delivery, readers, taken: false });
    }

    /// The client has stopped: nothing is delivered, the streams continue before what no reader has, and the state is
    /// shown at once. What one of several readers has already, the others get when they have room.
    pub(super) fn keep_nothing(&mut self) {
        let mut shown = Vec::new();
        while let Some(emission) = self.parts.outbox.pop_back() {
            self.state.take_back(&emission);
            if !matches!(emission, Emission::Message { .. } | Emission::Gap { .. } | Emission::Frame { .. }) {
                shown.push(emission);
            }
        }
        if self.parts.head.as_ref().is_some_and(|head| !head.taken)
            && let Some(head) = self.parts.head.take()
        {
            self.state.take_back(&head.emission);
        }
        for emission in shown.into_iter().rev() {
            self.emit(emission);
        }
    }
}
