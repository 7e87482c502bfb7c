//! The hooks `connect`, `disconnect` and `call`.

use async_trait::async_trait;
use realtime_core::{
    auth::{ConnectAttempt, ConnectDecision},
    client_message::{ClientMessage, Handled},
};
use realtime_ports::{ConnectionHandler, HookContext, HookError};
use realtime_schema::{
    Action, CallAnswer, CallHook, CloseCode, ConnectAnswer, ConnectHook, DisconnectHook, ErrorCode, ErrorReply,
    HookName,
};

use super::{
    HttpHooks, answers,
    error::HttpHookError,
    hook::{Outcome, now, request_id},
};

/// The milliseconds after which a client should repeat a call that the backend did not answer.
const RETRY_AFTER_MS: u64 = 1_000;

#[async_trait]
impl ConnectionHandler for HttpHooks {
    async fn on_connect(&self, attempt: ConnectAttempt) -> Result<ConnectDecision, HookError> {
        let Some(hook) = self.hook(HookName::Connect) else { return Ok(ConnectDecision::default()) };
        let ConnectAttempt { claims, client, address, connection, .. } = attempt;
        let question = serde_json::to_string(&(&claims.iss, &claims.sub, &claims.roles, &claims.permissions))?;
        let request = ConnectHook {
            hook: HookName::Connect,
            id: request_id(),
            time: now(),
            connection,
            user: claims.sub.clone(),
            roles: claims.roles.clone(),
            client,
            address,
            claims,
        };
        Ok(match hook.ask::<ConnectAnswer>(request.id, &request, &question).await? {
            Outcome::Answer(answer) => answers::connect(answer),
            Outcome::Denied(message) => ConnectDecision::Refuse(answers::connect_denied(message)),
            Outcome::Allowed => ConnectDecision::default(),
        })
    }

    async fn on_message(&self, context: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        let Some(hook) = self.hook(HookName::Call) else { return Ok(Handled::Pass) };
        let Some(Action::Call { name, payload }) = message.command().map(|command| &command.action) else {
            return Ok(Handled::Pass);
        };
        let connection = &context.connection;
        let request = CallHook {
            hook: HookName::Call,
            id: request_id(),
            time: now(),
            connection: connection.id,
            user: connection.user.clone(),
            roles: connection.roles.clone(),
            client: connection.client.clone(),
            name: name.clone(),
            payload: payload.clone(),
        };
        match hook.ask::<CallAnswer>(request.id, &request, "").await {
            Ok(Outcome::Answer(answer)) => Ok(answers::call(answer)),
            Ok(Outcome::Denied(message)) => Ok(answers::call_denied(message)),
            Ok(Outcome::Allowed) => Ok(Handled::Pass),
            Err(error) if error.is_away() => Ok(unavailable(&error)),
            Err(error) => Err(error.into()),
        }
    }

    async fn on_close(&self, context: HookContext, code: Option<CloseCode>) -> Result<(), HookError> {
        if let Some(disconnects) = &self.0.disconnects {
            let connection = &context.connection;
            disconnects.push(&DisconnectHook {
                hook: HookName::Disconnect,
                id: request_id(),
                time: now(),
                connection: connection.id,
                user: connection.user.clone(),
                roles: connection.roles.clone(),
                client: connection.client.clone(),
                connected_at: connection.created_at,
                code,
            });
        }
        Ok(())
    }
}

/// The reply to a call that the backend did not answer.
fn unavailable(error: &HttpHookError) -> Handled {
    let message = if error.was_not_received() {
        "the application is unavailable now; this call was not carried out: send it again"
    } else {
        "the application did not reply to this call; it may have been carried out"
    };
    let reply = ErrorReply::new(None, ErrorCode::Unavailable, message);
    Handled::Error(Box::new(ErrorReply { after_ms: Some(RETRY_AFTER_MS), ..reply }))
}
