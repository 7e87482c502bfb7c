//! The hooks `subscribe`, `publish`, `history` and `presence`.

use std::sync::Arc;

use async_trait::async_trait;
use realtime_core::access::{AccessDecision, AccessRequest};
use realtime_ports::{Authorizer, HookError};
use realtime_schema::{AccessAnswer, AccessHook, Connection, HookName};

use super::{
    HttpHooks, answers,
    hook::{Outcome, now, request_id},
};

#[async_trait]
impl Authorizer for HttpHooks {
    async fn authorize(
        &self,
        connection: Arc<Connection>,
        request: AccessRequest,
    ) -> Result<AccessDecision, HookError> {
        let name = HookName::from(request.action);
        let Some(hook) = self.hook(name) else { return Ok(AccessDecision::deny()) };
        let (kind, payload) = request.message.map(|message| (message.kind, message.payload)).unzip();
        let request = AccessHook {
            hook: name,
            id: request_id(),
            time: now(),
            connection: connection.id,
            user: connection.user.clone(),
            roles: connection.roles.clone(),
            client: connection.client.clone(),
            topic: request.topic,
            kind,
            payload,
        };
        let question = serde_json::to_string(&(&request.user, &request.roles, &request.topic, &request.kind))?;
        Ok(match hook.ask::<AccessAnswer>(request.id, &request, &question).await? {
            Outcome::Answer(answer) => answers::access(answer),
            Outcome::Denied(message) => AccessDecision::Deny { message },
            Outcome::Allowed => AccessDecision::Allow,
        })
    }
}
