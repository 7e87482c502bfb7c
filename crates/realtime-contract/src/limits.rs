//! The limits of a contract and of a check. They are fixed: a schema that reaches one is refused when it is loaded, a
//! payload that reaches one when it is published.

/// The largest schema file, in bytes.
pub const FILE_BYTES: u64 = 256 * 1024;

/// The most schema files of a contract, those that are only referred to included.
pub const FILES: usize = 256;

/// The most bytes of all schema files together.
pub const TOTAL_BYTES: u64 = 4 * 1024 * 1024;

/// The most subschemas of all files together.
pub const SUBSCHEMAS: usize = 20_000;

/// The most subschemas that apply to one value in turn, each because of the one before it, through `$ref`, `allOf`,
/// `anyOf`, `oneOf`, `not`, `if` and dependencies. It bounds the stack of a check.
pub const CHAIN: usize = 16;

/// The most subschemas that are tried on one value, each as often as it is reached. It bounds the work between two steps.
pub const APPLIED: u64 = 4_096;

/// The longest way through the subschemas, in any direction. It bounds the stack of the compiler.
pub const NESTING: usize = 512;

/// The largest compiled `pattern`, in bytes of the regular expression engine's program.
pub const PATTERN_BYTES: usize = 256 * 1024;

/// The largest automaton of a `pattern` that takes one look at each byte of a text, in bytes. The engine follows all states
/// of a pattern with a larger one, and a step is then a smaller part of a text.
pub const AUTOMATON_BYTES: usize = 256 * 1024;

/// The most `patternProperties` of one subschema: each is tried on every field.
pub const FIELD_PATTERNS: usize = 32;

/// The deepest payload, in arrays and objects around a value.
pub const PAYLOAD_DEPTH: usize = 64;

/// The steps of one check of any payload, however small.
pub const BASE_STEPS: u64 = 50_000;

/// The further steps for each byte of the payload.
pub const STEPS_PER_BYTE: u64 = 32;

/// The steps for listing the faults of a payload that does not fit. Its first faults are listed even if more follow.
pub const FAULT_STEPS: u64 = 50_000;

/// The longest path of a fault, in bytes: a longer one names a value around the fault.
pub const PATH_BYTES: usize = 512;

/// The steps in which a payload of `bytes` must be checked. A step is one value, key or 32 bytes of text that a keyword
/// looks at (less text in a schema with a `pattern` of which the engine follows many states, see [`AUTOMATON_BYTES`]; a
/// number beyond 64 bits takes 32 steps); the schemas of usual messages need below 2 for each byte.
pub fn steps(bytes: usize) -> u64 {
    BASE_STEPS + STEPS_PER_BYTE * bytes as u64
}
