//! Types of TypeScript.

use std::collections::BTreeSet;

use realtime_schema::StreamPattern;

use super::{
    Output,
    shape::{Object, Rest, Shape},
    text::typescript as quoted,
    types::Types,
};
use crate::{
    binding::{Binding, UnknownTypes},
    contract::Contract,
};

const HEAD: &str = "// Generated from the message contract by `realtime-server schemas`. Do not edit.\n";

pub(super) fn output(contract: &Contract) -> Output {
    let types = Types::of(contract);
    let mut text = String::from(HEAD);
    let (topics, others): (Vec<_>, Vec<_>) =
        contract.bindings().iter().partition(|binding| matches!(binding.pattern, StreamPattern::Topic(_)));
    text += "\n/** The messages of topics: for each topic pattern, the payload of each message type. */\n";
    text += &streams("Topics", &topics, &types);
    text += "\n/** The messages of the other streams: `user`, `role:ROLE`, `role:*` and `all`. */\n";
    text += &streams("Streams", &others, &types);
    let printer = Printer { types: &types };
    for named in &types.list {
        text += "\n";
        text += &doc(&named.doc, 0);
        text += &format!("export type {} = {};\n", named.name, printer.print(&named.shape, 0));
    }
    Output::of("topics.ts", text, types.warnings)
}

/// The pattern as a key: `{sub}` is one segment.
fn key(pattern: &StreamPattern) -> String {
    match pattern {
        StreamPattern::Topic(pattern) => {
            let segments = pattern.as_str().split(':').map(|segment| if segment == "{sub}" { "*" } else { segment });
            segments.collect::<Vec<_>>().join(":")
        }
        other => other.to_string(),
    }
}

fn streams(name: &str, bindings: &[&Binding], types: &Types) -> String {
    let mut text = format!("export type {name} = {{\n");
    let mut keys = BTreeSet::new();
    for binding in bindings {
        let key = key(&binding.pattern);
        // The first that matches decides.
        if !keys.insert(key.clone()) {
            continue;
        }
        text += &format!("  {}: {{\n", quoted(&key));
        for (kind, path) in &binding.messages {
            text += &format!("    {}: {};\n", quoted(kind.as_str()), types.list[types.payloads[path]].name);
        }
        if binding.unknown_types == UnknownTypes::Allow {
            text += "    [type: string]: unknown;\n";
        }
        text += "  };\n";
    }
    text + "};\n"
}

fn doc(text: &str, indent: usize) -> String {
    if text.is_empty() { String::new() } else { format!("{}/** {text} */\n", "  ".repeat(indent)) }
}

/// A name as a property: without quotes where it is an identifier that has no other meaning there.
fn property(name: &str) -> String {
    const SPECIAL: [&str; 6] = ["__proto__", "constructor", "new", "get", "set", "readonly"];
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let plain = name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    if plain && !SPECIAL.contains(&name) { name.to_owned() } else { quoted(name) }
}

struct Printer<'t> {
    types: &'t Types,
}

impl Printer<'_> {
    fn print(&self, shape: &Shape, indent: usize) -> String {
        match shape {
            Shape::Unknown(None) => "unknown".into(),
            Shape::Unknown(Some(reason)) => format!("unknown /* {reason} */"),
            Shape::Never => "never".into(),
            Shape::Null => "null".into(),
            Shape::Boolean => "boolean".into(),
            Shape::Number | Shape::Integer => "number".into(),
            Shape::Text => "string".into(),
            Shape::Literal(value) => value.as_str().map_or_else(|| value.to_string(), quoted),
            Shape::Array(item) => format!("{}[]", self.operand(item, indent)),
            Shape::Tuple { items, required, rest } => {
                let mut parts: Vec<_> = items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| match at < *required {
                        true => self.print(item, indent),
                        false => format!("{}?", self.operand(item, indent)),
                    })
                    .collect();
                parts.extend(rest.iter().map(|rest| format!("...{}[]", self.operand(rest, indent))));
                format!("[{}]", parts.join(", "))
            }
            Shape::Object(object) => self.object(object, indent),
            Shape::Union(parts) => self.joined(parts, " | ", indent),
            Shape::All(parts) => self.joined(parts, " & ", indent),
            Shape::Named(number) => self.types.list[*number].name.clone(),
        }
    }

    fn joined(&self, parts: &[Shape], operator: &str, indent: usize) -> String {
        parts.iter().map(|part| self.operand(part, indent)).collect::<Vec<_>>().join(operator)
    }

    /// The type where an operator follows or precedes it.
    fn operand(&self, shape: &Shape, indent: usize) -> String {
        let text = self.print(shape, indent);
        let composed = matches!(shape, Shape::Union(_) | Shape::All(_) | Shape::Unknown(Some(_)));
        if composed { format!("({text})") } else { text }
    }

    fn object(&self, object: &Object, indent: usize) -> String {
        let mut text = String::from("{\n");
        let pad = "  ".repeat(indent + 1);
        for (name, field) in &object.fields {
            text += &doc(&field.doc, indent + 1);
            let mark = if field.required { "" } else { "?" };
            text += &format!("{pad}{}{mark}: {};\n", property(name), self.print(&field.shape, indent + 1));
        }
        match &object.rest {
            Rest::Open => text += &format!("{pad}[field: string]: unknown;\n"),
            Rest::Closed => {}
            Rest::Of(rest) => {
                // An index signature is one of all fields, those with a name included.
                let named = object.fields.values().map(|field| field.shape.clone());
                let rest = Shape::union(named.chain([(**rest).clone()]));
                let missing = if object.fields.values().any(|field| !field.required) { " | undefined" } else { "" };
                text += &format!("{pad}[field: string]: {}{missing};\n", self.print(&rest, indent + 1));
            }
        }
        if object.fields.is_empty() && object.rest == Rest::Closed {
            // `{}` would be any value but null.
            return "{ [field: string]: never }".into();
        }
        text + &"  ".repeat(indent) + "}"
    }
}
