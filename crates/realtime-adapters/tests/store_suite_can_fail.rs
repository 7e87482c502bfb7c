//! The suite of the durable store notices a store that breaks a promise: a suite that can't fail protects nothing.
#![cfg(feature = "testing")]

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use realtime_adapters::testing::MemoryLogStore;
use realtime_ports::{
    Loaded, Loader, LogStore, Record, StoreError, Usage,
    conformance::store::{Opener, store_conformance},
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    StoresNothing,
    StoresHalfOfARefusedBatch,
    ForgetsTrims,
    ForgetsPositions,
    BringsBackTheForgotten,
    LoadsTwice,
    ReordersMessages,
    LosesTheCount,
    ChangesItsGeneration,
    AcceptsCommitsAfterTheClose,
    ForgetsTopicsOfUsers,
    BringsBackTakenTopics,
}

struct Faulty {
    inner: MemoryLogStore,
    fault: Fault,
    opened: u32,
    held_back: Mutex<Vec<Record>>,
}

impl LogStore for Faulty {
    fn load(&self, into: &mut dyn Loader) -> Result<Loaded, StoreError> {
        let mut with_messages = HashSet::new();
        let mut held_back = self.held_back.lock().expect("no panic");
        let mut loaded = self.inner.load(&mut |record: Record| match (&record, self.fault) {
            (Record::Position { route, .. }, Fault::ForgetsPositions) if !with_messages.contains(route) => {}
            (Record::TopicGiven { .. }, Fault::ForgetsTopicsOfUsers) => {}
            (Record::Appended(_), Fault::LoadsTwice) => {
                into.record(record.clone());
                into.record(record);
            }
            (Record::Appended(message), Fault::ReordersMessages) => {
                with_messages.insert(message.route.clone());
                held_back.insert(0, record);
            }
            (Record::Position { .. }, Fault::ReordersMessages) => {
                held_back.drain(..).for_each(|record| into.record(record));
                into.record(record);
            }
            (Record::Appended(message), _) => {
                with_messages.insert(message.route.clone());
                into.record(record);
            }
            _ => into.record(record),
        })?;
        match self.fault {
            Fault::LosesTheCount => loaded.forgotten = 0,
            Fault::ChangesItsGeneration => loaded.generation += self.opened,
            _ => {}
        }
        Ok(loaded)
    }

    fn commit(&self, batch: &[Record]) -> Result<(), StoreError> {
        let kept = |record: &&Record| match record {
            Record::Trimmed { .. } => self.fault != Fault::ForgetsTrims,
            Record::TopicTaken { .. } => self.fault != Fault::BringsBackTakenTopics,
            Record::Forgotten { .. } => self.fault != Fault::BringsBackTheForgotten,
            _ => true,
        };
        let batch: Vec<_> = batch.iter().filter(kept).cloned().collect();
        match (self.inner.commit(&batch), self.fault) {
            (Ok(()), _) | (Err(_), Fault::AcceptsCommitsAfterTheClose) => Ok(()),
            (Err(error), Fault::StoresHalfOfARefusedBatch) => {
                self.inner.commit(batch.get(..1).unwrap_or_default())?;
                Err(error)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn idle(&self) -> bool {
        self.inner.idle()
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }
}

/// Opens stores with `fault` in one place.
fn opener(fault: Fault) -> Opener {
    let (mut last, mut opened): (Option<Arc<Faulty>>, _) = (None, 0);
    Box::new(move || {
        let inner = match &last {
            Some(last) if fault != Fault::StoresNothing => last.inner.reopened(),
            _ => MemoryLogStore::new(),
        };
        opened += 1;
        let next = Arc::new(Faulty { inner, fault, opened, held_back: Mutex::default() });
        last = Some(Arc::clone(&next));
        next
    })
}

#[test]
fn a_store_with_a_fault_is_caught() {
    let fails = |fault| catch_unwind(AssertUnwindSafe(|| store_conformance(|| opener(fault)))).is_err();
    assert!(!fails(Fault::None), "the wrapper itself breaks nothing");
    for fault in [
        Fault::StoresNothing,
        Fault::StoresHalfOfARefusedBatch,
        Fault::ForgetsTrims,
        Fault::ForgetsPositions,
        Fault::BringsBackTheForgotten,
        Fault::LoadsTwice,
        Fault::ReordersMessages,
        Fault::LosesTheCount,
        Fault::ChangesItsGeneration,
        Fault::AcceptsCommitsAfterTheClose,
        Fault::ForgetsTopicsOfUsers,
        Fault::BringsBackTakenTopics,
    ] {
        assert!(fails(fault), "{fault:?} was not noticed");
    }
}
