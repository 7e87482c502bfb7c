//! A payload as the validator sees it: every look at it is counted, and from the last permitted step on there is nothing
//! more to see. So the work of a check is bounded whatever the schema and the payload are, and an error can't hold a
//! value of the payload.

use std::{borrow::Cow, cell::Cell, cmp::Ordering, ops::ControlFlow};

use jsonschema::{
    JsonType,
    json::{Array, Json, Node, NodeIdentity, Object},
};
use serde_json::{Map, Number, Value};

use crate::unique;

/// Counts the steps of one check.
pub(crate) struct Meter {
    left: Cell<u64>,
    /// How many looks of an automaton a byte of text may take.
    text_price: u64,
    /// All looks, those without steps left included.
    #[cfg(test)]
    looks: Cell<u64>,
}

impl Meter {
    pub(crate) fn new(budget: u64, text_price: u64) -> Self {
        Self {
            left: Cell::new(budget),
            text_price,
            #[cfg(test)]
            looks: Cell::new(0),
        }
    }

    /// Takes `steps`; false if there are not so many.
    pub(crate) fn spend(&self, steps: u64) -> bool {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        match self.left.get().checked_sub(steps) {
            Some(left) => self.left.set(left),
            None => self.left.set(0),
        }
        self.left.get() > 0
    }

    /// Takes the steps for a look at a text.
    fn spend_text(&self, text: &str) -> bool {
        self.spend(1 + (text.len() as u64).saturating_mul(self.text_price) / 32)
    }

    /// Whether the check was cut short: its result says nothing.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.left.get() == 0
    }

    /// How often something was looked at, with or without steps left: what a check really did.
    #[cfg(test)]
    pub(crate) fn looks(&self) -> u64 {
        self.looks.get()
    }
}

/// What stands in an error in place of the value.
pub(crate) const HIDDEN: Value = Value::Null;

/// What stands in an error that was found when no steps were left: it may be none.
const UNSURE: Value = Value::Bool(true);

/// Whether the steps had sufficed until an error was found.
pub(crate) fn is_sure(instance: &Value) -> bool {
    *instance != UNSURE
}

/// The representation.
pub(crate) struct MeteredJson;

/// A value that is being checked.
#[derive(Clone, Copy)]
pub(crate) struct Metered<'a> {
    value: &'a Value,
    meter: &'a Meter,
}

impl<'a> Metered<'a> {
    pub(crate) fn new(value: &'a Value, meter: &'a Meter) -> Self {
        Self { value, meter }
    }

    /// The value, if there are steps left for a look at it.
    fn look(&self) -> Option<&'a Value> {
        self.meter.spend(1).then_some(self.value)
    }
}

/// A node for the name of a field. Its steps were taken when the field was reached.
pub(crate) struct NameNode(Value, Meter);

impl Default for NameNode {
    fn default() -> Self {
        Self(Value::Null, Meter::new(u64::MAX, 1))
    }
}

impl Json for MeteredJson {
    type Node<'a> = Metered<'a>;
    type PreparedKey = String;
    type StringBuffer = NameNode;

    // As for `serde_json`, whose map is searched in the order of its keys.
    const KEYS_PER_LOOKUP: usize = 2;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut NameNode, string: &str, f: impl FnOnce(Metered<'_>) -> T) -> T {
        buffer.0 = Value::String(string.to_owned());
        f(Metered::new(&buffer.0, &buffer.1))
    }
}

/// The steps for a look at a number. One that no 64-bit integer is near to is compared by arithmetic of hundreds of digits.
fn number_steps(number: &Number) -> u64 {
    let size = number.as_f64().map_or(0.0, f64::abs);
    if size == 0.0 || (1e-19..1e19).contains(&size) { 1 } else { 32 }
}

impl<'a> Node<'a, MeteredJson> for Metered<'a> {
    type Object = MeteredObject<'a>;
    type Array = MeteredArray<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<MeteredObject<'a>> {
        self.look()?.as_object().map(|members| MeteredObject { members, meter: self.meter })
    }

    fn as_array(&self) -> Option<MeteredArray<'a>> {
        self.look()?.as_array().map(|items| MeteredArray { items, meter: self.meter })
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = self.value.as_str()?;
        self.meter.spend_text(text).then_some(Cow::Borrowed(text))
    }

    fn as_number(&self) -> Option<&'a Number> {
        let number = self.value.as_number();
        self.meter.spend(number.map_or(1, number_steps)).then_some(number).flatten()
    }

    fn as_boolean(&self) -> Option<bool> {
        self.look()?.as_bool()
    }

    fn is_null(&self) -> bool {
        self.look().is_some_and(Value::is_null)
    }

    fn is_number(&self) -> bool {
        self.look().is_some_and(Value::is_number)
    }

    fn is_string(&self) -> bool {
        self.look().is_some_and(Value::is_string)
    }

    fn json_type(&self) -> JsonType {
        match self.look() {
            None | Some(Value::Null) => JsonType::Null,
            Some(Value::Bool(_)) => JsonType::Boolean,
            Some(Value::Number(_)) => JsonType::Number,
            Some(Value::String(_)) => JsonType::String,
            Some(Value::Array(_)) => JsonType::Array,
            Some(Value::Object(_)) => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        self.as_string().map(|text| text.chars().count() as u64)
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        let text = self.as_string()?;
        // A character has 1 to 4 bytes.
        let (most, fewest) = (text.len() as u64, (text.len() as u64).div_ceil(4));
        if most < min || fewest > max {
            return Some(false);
        }
        if min <= fewest && most <= max {
            return Some(true);
        }
        Some((min..=max).contains(&(text.chars().count() as u64)))
    }

    fn equals_value(&self, expected: &Value) -> bool {
        unique::compare(self.value, expected, self.meter) == Ordering::Equal
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(if self.meter.spend(1) { HIDDEN } else { UNSURE })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.value) as usize))
    }

    fn container_identity(&self) -> Option<NodeIdentity> {
        (self.value.is_object() || self.value.is_array()).then(|| self.identity()).flatten()
    }
}

/// An object that is being checked.
pub(crate) struct MeteredObject<'a> {
    members: &'a Map<String, Value>,
    meter: &'a Meter,
}

impl<'a> Object<'a, MeteredJson> for MeteredObject<'a> {
    type Node = Metered<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        self.members.len()
    }

    fn get(&self, key: &String) -> Option<Metered<'a>> {
        if !self.meter.spend(1) {
            return None;
        }
        self.members.get(key).map(|value| Metered::new(value, self.meter))
    }

    fn members(&self) -> Members<'a> {
        Members { rest: self.members.iter(), meter: self.meter }
    }

    // So that looks at the names are counted with the rest.
    fn try_for_each_name_node<B>(
        &self,
        buffer: &mut NameNode,
        mut f: impl FnMut(Metered<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for (name, _) in self.members() {
            buffer.0 = Value::String(name.to_owned());
            f(Metered::new(&buffer.0, self.meter))?;
        }
        ControlFlow::Continue(())
    }
}

/// The fields of an object that is being checked.
pub(crate) struct Members<'a> {
    rest: serde_json::map::Iter<'a>,
    meter: &'a Meter,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Metered<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.rest.next()?;
        self.meter.spend_text(name).then(|| (name.as_str(), Metered::new(value, self.meter)))
    }
}

/// An array that is being checked.
pub(crate) struct MeteredArray<'a> {
    items: &'a [Value],
    meter: &'a Meter,
}

impl<'a> Array<'a, MeteredJson> for MeteredArray<'a> {
    type Node = Metered<'a>;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        self.items.len()
    }

    fn elements(&self) -> Elements<'a> {
        Elements { rest: self.items.iter(), meter: self.meter }
    }

    fn is_unique(&self) -> bool {
        unique::is_unique(self.items, self.meter)
    }
}

/// The items of an array that is being checked.
pub(crate) struct Elements<'a> {
    rest: std::slice::Iter<'a, Value>,
    meter: &'a Meter,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Metered<'a>;

    fn next(&mut self) -> Option<Metered<'a>> {
        let value = self.rest.next()?;
        self.meter.spend(1).then(|| Metered::new(value, self.meter))
    }
}
