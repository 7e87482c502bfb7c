//! `messages` of `[[namespaces]]`: the contract that messages must fit to be published.

use std::path::Path;

use realtime_contract::{Binding, Contract, SchemaFault, UnknownTypes};
use schemars::JsonSchema;

use super::{
    namespaces::NamespaceConfig,
    problems::{Problem, Problems},
};

/// The names of [`UnknownTypes`] for the schema: the contract knows no schemas of its own types.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) enum UnknownTypesName {
    Refuse,
    Allow,
}

/// The contract of the streams, compiled of the files below `directory`; `None` if no namespace has `messages`. Blocks: it
/// reads files.
///
/// # Errors
/// Every fault of the keys and of the files.
pub(super) fn contract(list: &[NamespaceConfig], directory: &Path) -> Result<Option<Contract>, Vec<Problem>> {
    let mut problems = Problems::default();
    check_keys(list, &mut problems);
    let bindings = bindings(list);
    let loaded = if bindings.is_empty() { None } else { Some(Contract::load(bindings, here(directory))) };
    match loaded.transpose() {
        Ok(contract) if problems.len() == 0 => Ok(contract),
        Ok(_) => Err(problems.into_list()),
        Err(faults) => {
            for fault in faults.list() {
                problems.add(&key_of(fault, list), fault.to_string());
            }
            Err(problems.into_list())
        }
    }
}

/// An empty path is no directory to the operating system.
fn here(directory: &Path) -> &Path {
    if directory.as_os_str().is_empty() { Path::new(".") } else { directory }
}

/// Adds what can't take effect.
fn check_keys(list: &[NamespaceConfig], problems: &mut Problems) {
    for (at, NamespaceConfig { pattern, messages, unknown_types, .. }) in list.iter().enumerate() {
        let key = |name: &str| format!("namespaces[{at}].{name}");
        if messages.is_none() {
            if unknown_types.is_some() {
                problems.add(&key("unknown_types"), "has no effect without `messages`; give them, or leave it out");
            }
            continue;
        }
        if let Some(earlier) = list[..at].iter().position(|earlier| earlier.pattern == *pattern) {
            let what =
                format!("has no effect: namespaces[{earlier}] has the same pattern and comes first; join the two");
            problems.add(&key("messages"), what);
        }
    }
}

/// The bindings, by the rule of the namespaces: the first that matches a stream decides, also if it has no messages. None
/// if no namespace has messages.
fn bindings(list: &[NamespaceConfig]) -> Vec<Binding> {
    let has_messages = |namespace: &NamespaceConfig| namespace.messages.is_some();
    let count = list.iter().rposition(has_messages).map_or(0, |last| last + 1);
    let mut bindings: Vec<Binding> = Vec::new();
    for NamespaceConfig { pattern, messages, unknown_types, .. } in &list[..count] {
        if bindings.iter().any(|earlier| earlier.pattern == *pattern) {
            continue;
        }
        let mut binding = Binding::new(pattern.clone());
        match messages {
            Some(messages) => {
                binding.messages = messages.clone();
                binding.unknown_types = unknown_types.unwrap_or_default();
            }
            None => binding.unknown_types = UnknownTypes::Allow,
        }
        bindings.push(binding);
    }
    bindings
}

/// The key that names the file of a fault; that of the list for a file that is only referred to.
fn key_of(fault: &SchemaFault, list: &[NamespaceConfig]) -> String {
    let named = list.iter().enumerate().find_map(|(at, namespace)| {
        let messages = namespace.messages.as_ref()?;
        let (kind, _) = messages.iter().find(|(_, path)| Some(*path) == fault.file.as_ref())?;
        Some(format!("namespaces[{at}].messages.{kind}"))
    });
    named.unwrap_or_else(|| "namespaces".to_owned())
}

#[cfg(test)]
mod tests;
