//! One compiled schema.

use jsonschema::Validator;
use realtime_ports::MAX_PAYLOAD_ERRORS;
use realtime_schema::FieldError;
use serde_json::Value;

use crate::{
    limits::{BASE_STEPS, FAULT_STEPS, steps},
    metered::{Meter, Metered, MeteredJson, is_sure},
    wording::{fault, faults},
};

/// Checks payloads with one schema.
pub(crate) struct Checker {
    validator: Validator<MeteredJson>,
    /// The price of a byte of text: see [`Prices`](crate::pattern_cost::Prices).
    text_price: u64,
}

impl Checker {
    pub(crate) fn new(validator: Validator<MeteredJson>, text_price: u64) -> Self {
        Self { validator, text_price }
    }

    /// A meter for this schema.
    pub(crate) fn meter(&self, budget: u64) -> Meter {
        Meter::new(budget, self.text_price)
    }

    /// Checks a payload that was read from `bytes` bytes of text.
    pub(crate) fn check(&self, payload: &Value, bytes: usize) -> Result<(), Vec<FieldError>> {
        self.metered(payload, &self.meter(steps(bytes)), &self.meter(FAULT_STEPS))
    }

    /// Whether a value fits; `None` if that takes too many steps.
    pub(crate) fn fits(&self, value: &Value) -> Option<bool> {
        let meter = self.meter(BASE_STEPS);
        let fits = self.validator.is_valid(Metered::new(value, &meter));
        (!meter.is_exhausted()).then_some(fits)
    }

    /// The same with meters of the caller: one for the decision, one for the list of faults.
    pub(crate) fn metered(&self, payload: &Value, decision: &Meter, list: &Meter) -> Result<(), Vec<FieldError>> {
        let fits = self.validator.is_valid(Metered::new(payload, decision));
        if decision.is_exhausted() {
            let message = "takes too long to check with its schema; send it in smaller parts, or simplify the schema";
            return Err(vec![fault("", message)]);
        }
        if fits {
            return Ok(());
        }
        let mut found = Vec::new();
        for error in self.validator.iter_errors(Metered::new(payload, list)) {
            // One that was found when the steps had run out may be none.
            if found.len() >= MAX_PAYLOAD_ERRORS || !is_sure(error.instance()) {
                break;
            }
            found.extend(faults(&error, MAX_PAYLOAD_ERRORS - found.len()));
        }
        if found.is_empty() {
            found.push(fault("", "does not fit its schema"));
        }
        Err(found)
    }
}
