//! What is wrong with a set of schemas.

use std::fmt;

use crate::schema_path::SchemaPath;

/// One fault of a contract: the file, the place in it, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFault {
    /// The schema file; `None` if the fault is in the bindings or in the set as a whole.
    pub file: Option<SchemaPath>,
    /// The place in the file, as a JSON pointer (RFC 6901); empty for the whole file.
    pub pointer: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl SchemaFault {
    pub(crate) fn at(file: &SchemaPath, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: Some(file.clone()), pointer: pointer.into(), message: message.into() }
    }

    pub(crate) fn of_the_set(message: impl Into<String>) -> Self {
        Self { file: None, pointer: String::new(), message: message.into() }
    }
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            None => f.write_str(&self.message),
            Some(file) if self.pointer.is_empty() => write!(f, "{file}: {}", self.message),
            Some(file) => write!(f, "{file} at {}: {}", self.pointer, self.message),
        }
    }
}

/// All faults of a contract, at least one. It is refused whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFaults(Vec<SchemaFault>);

impl SchemaFaults {
    /// The faults, in the order of the files.
    pub fn list(&self) -> &[SchemaFault] {
        &self.0
    }

    /// `value`, if there is no fault.
    pub(crate) fn unless<T>(faults: Vec<SchemaFault>, value: T) -> Result<T, Self> {
        if faults.is_empty() { Ok(value) } else { Err(Self(faults)) }
    }
}

impl From<SchemaFault> for SchemaFaults {
    fn from(fault: SchemaFault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for SchemaFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SchemaFaults {}
