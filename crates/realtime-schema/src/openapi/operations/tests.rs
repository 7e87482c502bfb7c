//! What holds for every operation.

use std::collections::BTreeSet;

use super::*;

#[test]
fn no_operation_has_two_refusals_with_one_status() {
    for operation in all() {
        let codes = operation.refusals.iter().chain(operation.tag.refusals());
        let statuses: BTreeSet<_> = codes.clone().map(|code| code.status()).collect();
        assert_eq!(statuses.len(), codes.count(), "{}: one would replace the other", operation.id);
    }
}
