//! Operations that refuse users and tokens.

use super::{
    BadRequest, Components, LimitExceeded, NotFound, Operation, PLAIN, PathParam, Tag, TooLarge, json, required,
};
use crate::{
    id::RevocationId,
    revocation::{Revocation, RevocationPage, RevocationQuery, RevocationRequest, Revoked},
};

const REVOCATION: PathParam =
    PathParam { name: "id", schema: Components::request::<RevocationId>, description: "The revocation." };

/// The operations about revocations.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "post",
        path: "/api/v1/revocations",
        id: "revoke",
        tag: Tag::Revocations,
        summary: "Refuse a token, a user, or all tokens issued before a time",
        description: "Connections of them are closed at once. A second revocation of the same extends the first: the \
                      later end counts. Revocations are kept in memory: a restart forgets them.",
        body: required(Components::request::<RevocationRequest>),
        response: json(Components::response::<Revoked>),
        refusals: &[BadRequest, TooLarge, LimitExceeded],
        ..PLAIN
    },
    Operation {
        path: "/api/v1/revocations",
        id: "listRevocations",
        tag: Tag::Revocations,
        summary: "List the revocations that have not ended",
        description: "Oldest first. `next` of one page is `after` of the one that follows.",
        query: Some(Components::fields::<RevocationQuery>),
        response: json(Components::response::<RevocationPage>),
        refusals: &[BadRequest],
        ..PLAIN
    },
    Operation {
        method: "delete",
        path: "/api/v1/revocations/{id}",
        id: "removeRevocation",
        tag: Tag::Revocations,
        summary: "End a revocation",
        description: "Returns the revocation that was removed.",
        path_params: &[REVOCATION],
        response: json(Components::response::<Revocation>),
        refusals: &[BadRequest, NotFound],
        ..PLAIN
    },
];
