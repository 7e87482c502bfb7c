//! The subschemas of all files and the ways between them, by which the depth of a check and of the compiler is bounded.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    fault::SchemaFault,
    files::{SchemaFiles, is_absolute},
    limits::{APPLIED, CHAIN, NESTING, SUBSCHEMAS},
    schema_path::SchemaPath,
    walk::{Place, children, references, subschemas},
};

/// One subschema.
pub(crate) struct Node<'f> {
    pub(crate) file: &'f SchemaPath,
    pub(crate) pointer: String,
    pub(crate) schema: &'f Value,
    /// The subschemas that follow it, and whether they apply to the same value.
    next: Vec<(usize, bool)>,
}

impl Node<'_> {
    pub(crate) fn fault(&self, keyword: &str, message: impl Into<String>) -> SchemaFault {
        SchemaFault::at(self.file, format!("{}{keyword}", self.pointer), message)
    }
}

/// All subschemas that can be reached from the roots of the files.
pub(crate) struct Graph<'f> {
    files: &'f SchemaFiles,
    pub(crate) nodes: Vec<Node<'f>>,
    index: HashMap<(&'f SchemaPath, String), usize>,
}

impl<'f> Graph<'f> {
    /// The graph, and a fault for each reference that leads nowhere.
    pub(crate) fn of(files: &'f SchemaFiles) -> (Self, Vec<SchemaFault>) {
        let mut graph = Self { files, nodes: Vec::new(), index: HashMap::new() };
        let mut faults = Vec::new();
        for (file, schema) in files.iter() {
            graph.node(file, String::new(), schema);
        }
        let mut at = 0;
        while at < graph.nodes.len() {
            if graph.nodes.len() > SUBSCHEMAS {
                faults.push(SchemaFault::of_the_set(format!("the schemas have more than {SUBSCHEMAS} subschemas")));
                break;
            }
            graph.expand(at, &mut faults);
            at += 1;
        }
        (graph, faults)
    }

    fn node(&mut self, file: &'f SchemaPath, pointer: String, schema: &'f Value) -> usize {
        let next = self.nodes.len();
        let at = *self.index.entry((file, pointer.clone())).or_insert(next);
        if at == next {
            self.nodes.push(Node { file, pointer, schema, next: Vec::new() });
        }
        at
    }

    fn expand(&mut self, at: usize, faults: &mut Vec<SchemaFault>) {
        let Node { file, schema, .. } = self.nodes[at];
        let pointer = self.nodes[at].pointer.clone();
        for (step, place, child) in children(schema) {
            let child = self.node(file, format!("{pointer}{step}"), child);
            if place != Place::Defined {
                self.nodes[at].next.push((child, place == Place::Same));
            }
        }
        for (keyword, reference) in references(schema) {
            match resolve(self.files, file, reference) {
                Ok((file, pointer, target)) => {
                    let target = self.node(file, pointer, target);
                    self.nodes[at].next.push((target, true));
                }
                Err(message) => faults.push(self.nodes[at].fault(&format!("/{keyword}"), message)),
            }
        }
    }

    /// The subschemas that the root of a file leads to, itself included.
    pub(crate) fn reached_from(&self, file: &SchemaPath) -> Vec<&Node<'f>> {
        let root = self.nodes.iter().position(|node| node.file == file && node.pointer.is_empty());
        let mut reached = vec![false; self.nodes.len()];
        let (mut pending, mut found): (Vec<usize>, _) = (root.into_iter().collect(), Vec::new());
        while let Some(at) = pending.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                found.push(&self.nodes[at]);
                pending.extend(self.nodes[at].next.iter().map(|(next, _)| *next));
            }
        }
        found
    }

    /// A fault if a schema applies itself to the same value, or if a way through the schemas is too long.
    pub(crate) fn faults(&self) -> Vec<SchemaFault> {
        let mut faults = Vec::new();
        match self.longest_chain() {
            Err(at) => {
                faults.push(self.nodes[at].fault("", "refers to itself for the same value, and would never end"));
            }
            Ok(Some((length, at))) if length > CHAIN => {
                let message =
                    format!("begins a chain of {length} subschemas for one value; at most {CHAIN} are allowed");
                faults.push(self.nodes[at].fault("", message));
            }
            Ok(_) => faults.extend(self.too_many_applied()),
        }
        if let Some(at) = self.too_deep() {
            let message = format!("is more than {NESTING} subschemas away from the schema that leads to it");
            faults.push(self.nodes[at].fault("", message));
        }
        faults
    }

    /// The longest chain of subschemas for one value, with its first; the subschema of a chain without end.
    fn longest_chain(&self) -> Result<Option<(usize, usize)>, usize> {
        // 0: not reached. `usize::MAX`: on the way that is being followed.
        let mut lengths = vec![0; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut way = vec![(start, 0)];
            while let Some((at, step)) = way.pop() {
                if step == 0 {
                    if lengths[at] != 0 {
                        continue;
                    }
                    lengths[at] = usize::MAX;
                }
                let mut same = self.nodes[at].next.iter().filter(|(_, same)| *same).map(|(next, _)| *next);
                match same.clone().nth(step) {
                    Some(next) if lengths[next] == usize::MAX => return Err(next),
                    Some(next) => way.extend([(at, step + 1), (next, 0)]),
                    None => lengths[at] = 1 + same.by_ref().map(|next| lengths[next]).max().unwrap_or(0),
                }
            }
        }
        Ok(lengths
            .into_iter()
            .enumerate()
            .map(|(at, length)| (length, at))
            .max_by_key(|(length, at)| (*length, usize::MAX - at)))
    }

    /// A fault if one value would be tried with too many subschemas: references that branch multiply. Chains must end.
    fn too_many_applied(&self) -> Option<SchemaFault> {
        let mut applied = vec![0_u64; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut way = vec![(start, false)];
            while let Some((at, counted)) = way.pop() {
                let same = self.nodes[at].next.iter().filter(|(_, same)| *same).map(|(next, _)| *next);
                if counted {
                    applied[at] = same.fold(1, |sum, next| sum.saturating_add(applied[next]));
                } else if applied[at] == 0 {
                    way.push((at, true));
                    way.extend(same.map(|next| (next, false)));
                }
            }
        }
        let first = (0..applied.len()).find(|at| applied[*at] > APPLIED)?;
        let message = format!("tries {} subschemas on one value; at most {APPLIED} are allowed", applied[first]);
        Some(self.nodes[first].fault("", message))
    }

    /// A subschema that is reached over too long a way, as the compiler goes: each one once, depth first.
    fn too_deep(&self) -> Option<usize> {
        let mut reached = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut pending = vec![(start, 0)];
            while let Some((at, depth)) = pending.pop() {
                if std::mem::replace(&mut reached[at], true) {
                    continue;
                }
                if depth > NESTING {
                    return Some(at);
                }
                pending.extend(self.nodes[at].next.iter().map(|(next, _)| (*next, depth + 1)));
            }
        }
        None
    }
}

/// The subschema that a reference of `file` names: its file, its pointer and itself.
pub(crate) fn resolve<'f>(
    files: &'f SchemaFiles,
    file: &'f SchemaPath,
    reference: &str,
) -> Result<(&'f SchemaPath, String, &'f Value), String> {
    let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let (file, schema) = if document.is_empty() {
        (file, files.get(file).ok_or("the file is missing")?)
    } else if is_absolute(document) {
        let named = files.iter().find(|(_, schema)| {
            schema.get("$id").and_then(Value::as_str).is_some_and(|id| id.trim_end_matches('#') == document)
        });
        named.ok_or("names no file below the configuration's directory; nothing is fetched from elsewhere")?
    } else {
        let path = file.refer(document).map_err(|error| error.message)?;
        files.iter().find(|(known, _)| **known == path).ok_or_else(|| format!("`{path}`: the file is missing"))?
    };
    let fragment = decoded(fragment).ok_or("has an invalid fragment")?;
    if fragment.is_empty() || fragment.starts_with('/') {
        let target = schema.pointer(&fragment).ok_or_else(|| format!("`{file}` has no schema at {fragment}"))?;
        return match target {
            Value::Object(_) | Value::Bool(_) => Ok((file, fragment, target)),
            _ => Err(format!("`{file}` has no schema at {fragment}, but another value")),
        };
    }
    let anchored = subschemas(schema).into_iter().find(|(_, schema)| {
        let is = |keyword: &str, name: &str| schema.get(keyword).and_then(Value::as_str) == Some(name);
        is("$anchor", &fragment) || is("$dynamicAnchor", &fragment) || is("$id", &format!("#{fragment}"))
    });
    let (pointer, target) = anchored.ok_or_else(|| format!("`{file}` has no anchor `{fragment}`"))?;
    Ok((file, pointer, target))
}

/// A fragment without its percent-encoding (RFC 3986 section 2.1).
fn decoded(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(bytes).ok()
}
