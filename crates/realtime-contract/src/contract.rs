//! The compiled contract.

use std::{
    collections::{BTreeMap, btree_map},
    fmt,
    path::Path,
    sync::Arc,
    thread,
};

use jsonschema::Registry;
use realtime_ports::PayloadRules;
use realtime_schema::{Audience, FieldError, MessageType, Payload, Route};

use crate::{
    binding::{Binding, UnknownTypes},
    checker::Checker,
    fault::{SchemaFault, SchemaFaults},
    files::SchemaFiles,
    formats,
    graph::Graph,
    load, parse,
    pattern_cost::Prices,
    schema_path::SchemaPath,
    vet::vet,
    walk::escaped,
    wording::{cut, fault},
};

/// The base of the files' URIs. It only has to be hierarchical; nothing is fetched from it.
const BASE: &str = "contract:///";

/// The stack of the compiler, whose depth [`NESTING`](crate::limits::NESTING) bounds.
const COMPILER_STACK: usize = 64 * 1024 * 1024;

/// What the messages of an application's streams must look like: bindings, and the schemas that they name, compiled.
/// [`Contract::default`] has no binding: everything is published unchecked.
#[derive(Default)]
pub struct Contract {
    bindings: Vec<Binding>,
    files: SchemaFiles,
    checkers: BTreeMap<SchemaPath, Arc<Checker>>,
}

impl Contract {
    /// Reads the schema files below `directory` and compiles them. Blocks: it reads files.
    ///
    /// # Errors
    /// All faults that were found, each with its file and its place. There is no contract then.
    pub fn load(bindings: Vec<Binding>, directory: &Path) -> Result<Self, SchemaFaults> {
        let files = load::load(&bindings, directory)?;
        Self::compile(bindings, files)
    }

    /// Compiles the schemas that `bindings` name.
    ///
    /// # Errors
    /// All faults that were found, as for [`Self::load`]; also a file that a binding names and that is not in `files`.
    pub fn compile(bindings: Vec<Binding>, files: SchemaFiles) -> Result<Self, SchemaFaults> {
        let mut faults = Vec::new();
        for (at, binding) in bindings.iter().enumerate() {
            if bindings[..at].iter().any(|earlier| earlier.pattern == binding.pattern) {
                let pattern = &binding.pattern;
                faults.push(SchemaFault::of_the_set(format!("the pattern `{pattern}` is bound twice; join the two")));
            }
            for (kind, path) in &binding.messages {
                if files.get(path).is_none() {
                    let message = format!("the schema of `{kind}` in `{}` is missing", binding.pattern);
                    faults.push(SchemaFault::at(path, "", message));
                }
            }
        }
        faults.extend(vet(&files));
        SchemaFaults::unless(faults, ())?;
        let checkers = on_a_large_stack(|| compile_all(&bindings, &files))?;
        Ok(Self { bindings, files, checkers })
    }

    /// The bindings, in their order: the first that covers a stream decides.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The schema files, those that are only referred to included.
    pub fn files(&self) -> &SchemaFiles {
        &self.files
    }

    /// The binding of the stream that `route` names; `None` if the stream has no rules, and for a single connection.
    pub fn binding(&self, route: &Route) -> Option<&Binding> {
        self.bindings.iter().find(|binding| binding.covers(route))
    }

    /// The same compiled schemas with other bindings, which name only files of this contract.
    pub(crate) fn with_bindings(&self, bindings: Vec<Binding>) -> Self {
        Self { bindings, files: self.files.clone(), checkers: self.checkers.clone() }
    }

    /// The checker of a schema that a binding names.
    pub(crate) fn checker(&self, path: &SchemaPath) -> &Checker {
        &self.checkers[path]
    }

    /// The checkers of a message to `to`, each once.
    fn checkers(&self, to: &Audience, kind: &MessageType) -> Result<Vec<&Arc<Checker>>, FieldError> {
        let mut checkers: Vec<&Arc<Checker>> = Vec::new();
        for binding in to.routes().iter().filter_map(|route| self.binding(route)) {
            match (binding.messages.get(kind), binding.unknown_types) {
                (None, UnknownTypes::Allow) => {}
                (None, UnknownTypes::Refuse) => return Err(unknown_type(binding)),
                (Some(path), _) => {
                    let checker = &self.checkers[path];
                    if !checkers.iter().any(|known| Arc::ptr_eq(known, checker)) {
                        checkers.push(checker);
                    }
                }
            }
        }
        Ok(checkers)
    }
}

impl PayloadRules for Contract {
    fn check(&self, to: &Audience, kind: &MessageType, payload: &Payload) -> Result<(), Vec<FieldError>> {
        if self.bindings.is_empty() {
            return Ok(());
        }
        let checkers = self.checkers(to, kind).map_err(|error| vec![error])?;
        if checkers.is_empty() {
            return Ok(());
        }
        let text = payload.as_str();
        let value = parse::value(text).map_err(|error| {
            let pointer: String = error.segments.iter().map(|segment| format!("/{}", escaped(segment))).collect();
            vec![fault(&pointer, &error.message)]
        })?;
        checkers.into_iter().try_for_each(|checker| checker.check(&value, text.len()))
    }
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contract").field("bindings", &self.bindings).field("files", &self.checkers.len()).finish()
    }
}

fn unknown_type(binding: &Binding) -> FieldError {
    let types: Vec<_> = binding.messages.keys().map(MessageType::as_str).collect();
    let known = if types.is_empty() { "none".to_owned() } else { cut(&types.join(", ")) };
    FieldError::new("type", format!("is not a type of the streams `{}`; their types are: {known}", binding.pattern))
}

/// Compiles each schema that a binding names, once.
fn compile_all(bindings: &[Binding], files: &SchemaFiles) -> Result<BTreeMap<SchemaPath, Arc<Checker>>, SchemaFaults> {
    let whole =
        |error: jsonschema::ReferencingError| SchemaFaults::from(SchemaFault::of_the_set(cut(&error.to_string())));
    let resources = files.iter().map(|(path, schema)| (uri(path), schema));
    let registry = Registry::new().extend(resources).and_then(|builder| builder.prepare()).map_err(whole)?;
    let (mut checkers, mut faults) = (BTreeMap::new(), Vec::new());
    let (graph, _) = Graph::of(files);
    let mut prices = Prices::new(&graph);
    for path in bindings.iter().flat_map(|binding| binding.messages.values()) {
        let btree_map::Entry::Vacant(place) = checkers.entry(path.clone()) else { continue };
        let schema = files.get(path).expect("it was looked up before");
        match formats::options().with_registry(&registry).with_base_uri(uri(path)).build(schema) {
            Ok(validator) => {
                place.insert(Arc::new(Checker::new(validator, prices.of(path))));
            }
            Err(error) => {
                faults.push(SchemaFault::at(path, error.schema_path().as_str(), cut(&error.to_string())));
            }
        }
    }
    SchemaFaults::unless(faults, checkers)
}

fn uri(path: &SchemaPath) -> String {
    format!("{BASE}{path}")
}

/// Runs `work` on a thread of its own, because it recurses by the nesting of the schemas.
fn on_a_large_stack<T: Send>(work: impl FnOnce() -> Result<T, SchemaFaults> + Send) -> Result<T, SchemaFaults> {
    let failed = || SchemaFaults::from(SchemaFault::of_the_set("the compiler of the schemas failed"));
    thread::scope(|scope| {
        let compiler = thread::Builder::new().name("contract".into()).stack_size(COMPILER_STACK);
        let compiler = compiler.spawn_scoped(scope, work).map_err(|_| failed())?;
        compiler.join().map_err(|_| failed())?
    })
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
