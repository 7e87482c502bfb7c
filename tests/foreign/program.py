"""Checked by mypy and run against the models that are generated from the JSON Schemas.

Reads server frames, one per line, and writes what each is.
"""

import sys

from client_command import ClientCommand, ResumeCommand, SubscribeCommand
from publish_request import PublishRequest
from server_frame import AckFrame, ControlFrame, ErrorFrame, GapFrame, Publication, ServerFrame, WelcomeFrame


def on_frame(frame: ServerFrame) -> str:
    message = frame.root
    if isinstance(message, Publication):
        return f"publication {message.type.root} {message.payload}"
    assert isinstance(message, ControlFrame)
    control = message.root
    if isinstance(control, WelcomeFrame):
        return f"welcome {control.payload.user.root} {control.payload.limits.burst}"
    if isinstance(control, ErrorFrame):
        paths = [error.path for error in control.payload.errors or []]
        return f"error {control.payload.code.root} {','.join(paths)}"
    if isinstance(control, GapFrame):
        stream = control.payload.stream
        return f"gap {stream.root if stream else '-'} {control.payload.reason.root}"
    if isinstance(control, AckFrame):
        offsets = [publication.offset for publication in control.payload.publications or []]
        return f"ack {control.payload.id} {offsets}"
    return control.type


command = ClientCommand.model_validate({"action": "subscribe", "id": 7, "topic": "order:123"}).root
assert isinstance(command, SubscribeCommand) and command.topic.root == "order:123"
positions = {"user": {"epoch": "k3f", "offset": 4}}
resume = ClientCommand.model_validate({"action": "resume", "since": positions}).root
assert isinstance(resume, ResumeCommand) and resume.since["user"].offset == 4, resume
for payload in [None, 1, "text", [1, 2], {"status": "shipped"}]:
    request = PublishRequest.model_validate({"to": {"topic": "order:123"}, "type": "t", "payload": payload})
    assert request.payload == payload, request

for line in sys.stdin:
    print(on_frame(ServerFrame.model_validate_json(line)))
