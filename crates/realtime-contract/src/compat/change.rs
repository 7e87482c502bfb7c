//! The changes between two contracts.

use std::fmt;

use realtime_schema::{MessageType, StreamPattern};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    covers::{Coverage, Side, covers},
    open_fields,
};
use crate::{
    binding::{Binding, UnknownTypes},
    contract::Contract,
    schema_path::SchemaPath,
    wording::cut,
};

/// Something that one side loses.
#[derive(Clone, Debug, PartialEq)]
pub enum Example {
    /// A payload that one contract accepts and the other does not.
    Payload(Value),
    /// A JSON Schema of such payloads.
    Schema(Value),
    /// In words.
    Words(String),
}

/// What a change does to readers or to writers.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Nothing.
    Safe,
    /// They break, for instance by this.
    Breaks(Example),
    /// It could not be decided: take it for a break, or look at it.
    CannotTell(String),
}

/// Who is updated first when a contract changes: their side may break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evolve {
    /// Readers know the new contract before the server has it: only writers must not break.
    ReadersFirst,
    /// Writers know the new contract before the server has it: only readers must not break.
    WritersFirst,
    /// Neither side is sure to be updated: neither may break.
    #[default]
    Both,
}

impl Evolve {
    /// Whether the change may be made in this order.
    pub fn permits(self, change: &Change) -> bool {
        (self == Self::ReadersFirst || change.readers == Effect::Safe)
            && (self == Self::WritersFirst || change.writers == Effect::Safe)
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The streams.
    pub pattern: StreamPattern,
    /// The message type; `None` for a change of the binding as a whole.
    pub message: Option<MessageType>,
    /// What was changed, in a few words.
    pub what: &'static str,
    /// What it does to clients that know the old contract.
    pub readers: Effect,
    /// What it does to publishers that know the old contract.
    pub writers: Effect,
    /// What to know although it breaks neither side.
    pub notes: Vec<String>,
}

impl Change {
    fn of(binding: &Binding, message: Option<&MessageType>, what: &'static str) -> Self {
        Self {
            pattern: binding.pattern.clone(),
            message: message.cloned(),
            what,
            readers: Effect::Safe,
            writers: Effect::Safe,
            notes: Vec::new(),
        }
    }

    fn breaking_readers(self, why: &str) -> Self {
        Self { readers: Effect::Breaks(Example::Words(why.into())), ..self }
    }

    fn breaking_writers(self, why: &str) -> Self {
        Self { writers: Effect::Breaks(Example::Words(why.into())), ..self }
    }

    fn noting(mut self, note: &str) -> Self {
        self.notes.push(note.into());
        self
    }
}

const UNCHECKED: &str =
    "such messages were published unchecked before; a payload that does not fit is refused from now on";

/// The changes from `old` to `new`, in the order of the new bindings, then what is gone.
pub fn compare(old: &Contract, new: &Contract) -> Vec<Change> {
    let mut changes = Vec::new();
    let find = |contract: &'_ Contract, pattern: &StreamPattern| {
        contract.bindings().iter().position(|binding| binding.pattern == *pattern)
    };
    let mut last = 0;
    for binding in new.bindings() {
        match find(old, &binding.pattern) {
            None => changes.push(Change::of(binding, None, "a pattern is new").noting(UNCHECKED)),
            Some(at) => {
                if at < last {
                    let change = Change::of(binding, None, "a pattern has another place");
                    let why = "the first pattern that matches decides, and for some streams it may be another one";
                    changes.push(Change {
                        readers: Effect::CannotTell(why.into()),
                        writers: Effect::CannotTell(why.into()),
                        ..change
                    });
                }
                last = last.max(at);
                binding_changes((old, &old.bindings()[at]), (new, binding), &mut changes);
            }
        }
    }
    for binding in old.bindings().iter().filter(|binding| find(new, &binding.pattern).is_none()) {
        let change = Change::of(binding, None, "a pattern is gone");
        changes
            .push(change.breaking_readers("code for its message types no longer compiles, and payloads are unchecked"));
    }
    changes
}

fn binding_changes(old: (&Contract, &Binding), new: (&Contract, &Binding), changes: &mut Vec<Change>) {
    let (before, after) = (old.1, new.1);
    match (before.unknown_types, after.unknown_types) {
        (UnknownTypes::Allow, UnknownTypes::Refuse) => {
            let change = Change::of(after, None, "types without a schema are refused");
            changes.push(change.breaking_writers("messages of such types are refused"));
        }
        (UnknownTypes::Refuse, UnknownTypes::Allow) => {
            let change = Change::of(after, None, "types without a schema are published");
            changes.push(change.noting("readers may receive types that they do not know"));
        }
        _ => {}
    }
    for (kind, path) in &after.messages {
        match before.messages.get(kind) {
            Some(known) => changes.extend(schema_change((old.0, known), (new.0, path), after, kind)),
            None => {
                let change = Change::of(after, Some(kind), "a type is new");
                let unchecked = before.unknown_types == UnknownTypes::Allow;
                changes.push(if unchecked { change.noting(UNCHECKED) } else { change });
            }
        }
    }
    for kind in before.messages.keys().filter(|kind| !after.messages.contains_key(*kind)) {
        let change = Change::of(after, Some(kind), "a type is gone");
        let change = change.breaking_readers("code for the type no longer compiles, and such messages do not arrive");
        changes.push(match after.unknown_types {
            UnknownTypes::Refuse => change.breaking_writers("messages of the type are refused"),
            UnknownTypes::Allow => change,
        });
    }
}

/// The change of a schema; `None` if none of its parts has changed but descriptions.
fn schema_change(
    old: (&Contract, &SchemaPath),
    new: (&Contract, &SchemaPath),
    binding: &Binding,
    kind: &MessageType,
) -> Option<Change> {
    let (before, after) = (Side { contract: old.0, path: old.1 }, Side { contract: new.0, path: new.1 });
    if super::same::same(before, after) {
        return None;
    }
    let mut change = Change::of(binding, Some(kind), "a schema has changed");
    change.readers = effect(covers(before, after));
    change.writers = effect(covers(after, before));
    if change.writers != Effect::Safe {
        let fields = open_fields::added(before, after);
        // A field that is new and optional excludes only what old writers had no name for.
        if !fields.is_empty() && open_fields::is_all_that_narrows(before, after, &fields) {
            let names = fields.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ");
            change.writers = Effect::Safe;
            change.notes.push(format!(
                "{}: optional and new in an open object; a writer that already sent such a field with another type is refused",
                cut(&names)
            ));
        }
    }
    Some(change)
}

fn effect(coverage: Coverage) -> Effect {
    match coverage {
        Coverage::Yes => Effect::Safe,
        Coverage::No(example) => Effect::Breaks(example),
        Coverage::Unknown(why) => Effect::CannotTell(why),
    }
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload(value) => write!(f, "for example the payload {}", cut(&value.to_string())),
            Self::Schema(schema) => write!(f, "payloads of the schema {}", cut(&schema.to_string())),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pattern)?;
        if let Some(message) = &self.message {
            write!(f, " `{message}`")?;
        }
        write!(f, ": {}", self.what)?;
        let (readers, writers) = (("readers", &self.readers), ("writers", &self.writers));
        if self.readers == Effect::Safe && self.writers == Effect::Safe {
            f.write_str("; breaks neither side")?;
        }
        for (side, effect) in [readers, writers] {
            match effect {
                Effect::Safe => {}
                Effect::Breaks(example) => write!(f, "\n  breaks {side}: {example}")?,
                Effect::CannotTell(why) => write!(f, "\n  can't tell for {side}: {why}")?,
            }
        }
        for note in &self.notes {
            write!(f, "\n  note: {note}")?;
        }
        Ok(())
    }
}
