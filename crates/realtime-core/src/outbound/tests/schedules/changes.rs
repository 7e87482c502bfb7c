//! What a connection and its client begin: the sections follow.

use super::*;

impl Node {
    pub(super) fn connect(&mut self, client: usize, role: bool, holds: bool) {
        if self.connections[client].is_some() {
            return;
        }
        let held = if role { vec![ALL, ROLE] } else { vec![ALL] };
        let mut sections: VecDeque<_> =
            held.iter().map(|stream| Section::GateAtTop { stream: *stream, held: holds }).collect();
        sections.extend(held.iter().map(|stream| Section::Insert { stream: *stream, owed: None, failure: None }));
        sections.push_back(Section::Opened { role });
        let mut named = [false; STREAMS];
        (named[ALL], named[ROLE]) = (true, role && !self.ticks.is_multiple_of(4));
        self.connections[client] = Some(Connection {
            queue: OutboundQueue::default(),
            listed: [false; STREAMS],
            role: false,
            registered: false,
            change: Some(Change { sections, by_task: true }),
            resume: None,
            hold: holds.then_some(named),
            gained: None,
            client: Client::new(client),
        });
    }

    pub(super) fn disconnect(&mut self, client: usize) {
        let Some(connection) = self.connections[client].take() else { return };
        for (seen, now) in self.seen[client].iter_mut().zip(connection.client.positions()) {
            *seen = now.or(*seen);
        }
        self.fan_outs.iter_mut().flatten().for_each(|fan_out| fan_out.left.retain(|listener| *listener != client));
    }

    pub(super) fn hold_expires(&mut self, client: usize) {
        let Some(connection) = self.connections[client].as_mut().filter(|connection| connection.registered) else {
            return;
        };
        if connection.resume.is_none() && connection.hold.take().is_some() {
            connection.client.hold_expired = true;
            connection.queue.release_held(&GapReason::HoldExpired);
        }
    }

    pub(super) fn position(&self, client: usize, stream: usize, since: Since) -> Option<Position> {
        let now = self.now(stream);
        let at = |epoch, offset| Some(Position { epoch, offset });
        match since {
            Since::Live => None,
            Since::Known => self.connections[client].as_ref()?.client.positions()[stream].or(self.seen[client][stream]),
            Since::Begin => at(Some(now.epoch), 0),
            Since::Beyond => at(Some(now.epoch), now.top + 3),
            Since::OtherEpoch => at(Some(Epoch(7)), 2),
            Since::NoEpoch => at(None, 2),
        }
    }

    /// Begins a change, if the connection's changes are not locked.
    pub(super) fn begin_change(&mut self, client: usize, wanted: Wanted) {
        let by_task = !matches!(wanted, Wanted::Give(_) | Wanted::Revoke(_));
        let Some(connection) = &self.connections[client] else { return };
        if connection.change.is_some() || !connection.registered || (by_task && connection.resume.is_some()) {
            return;
        }
        let (listed, role) = (connection.listed, connection.role);
        let end = |stream| [Section::Remove { stream }, Section::End { stream }];
        let mut sections = VecDeque::new();
        match wanted {
            Wanted::Subscribe(topic, since) => {
                let start = self.position(client, topic, since);
                let id = self.sends(client, Command::Subscribe { topic, live: start.is_none() });
                let owed = Some(Owed::Ack(CommandId::Number(id)));
                let reply = ErrorReply::new(Some(CommandId::Number(id)), ErrorCode::LimitExceeded, "full");
                sections = self.join(topic, listed[topic], start, owed, id, Control::Error(reply));
            }
            Wanted::Give(topic) => {
                let notice = Subscribed { topic: topic_of(topic), position: None, reason: None };
                let failure = Control::Ping(Ping {});
                sections = self.join(topic, listed[topic], None, Some(Owed::Subscribed(notice)), 0, failure);
            }
            Wanted::Unsubscribe(topic) => {
                let id = self.sends(client, Command::Unsubscribe { topic });
                sections.extend(end(topic));
                sections.push_back(Section::Send(Control::Ack(Ack::new(CommandId::Number(id)))));
            }
            Wanted::Revoke(topic) => {
                sections.extend(end(topic));
                if listed[topic] {
                    let notice = Unsubscribed { topic: topic_of(topic), reason: UnsubscribedReason::Server };
                    sections.push_back(Section::Send(Control::Unsubscribed(notice)));
                }
            }
            Wanted::Roles => {
                let id = self.sends(client, Command::Refresh { role: !role });
                if role {
                    sections.extend(end(ROLE));
                } else {
                    sections.push_back(Section::GateAtTop { stream: ROLE, held: false });
                    sections.push_back(Section::Insert { stream: ROLE, owed: None, failure: None });
                }
                sections.push_back(Section::RolesChanged { id, gained: !role });
            }
            Wanted::Resume(topics, since) => return self.resume(client, topics, since),
        }
        if let Some(connection) = &mut self.connections[client] {
            connection.change = Some(Change { sections, by_task });
        }
    }

    pub(super) fn sends(&mut self, client: usize, command: Command) -> i64 {
        let id = self.next_id();
        if let Some(connection) = &mut self.connections[client] {
            connection.client.sends(id, command);
        }
        id
    }

    /// The sections of a subscription, as the lock of the connection's changes finds it.
    pub(super) fn join(
        &self,
        stream: usize,
        listed: bool,
        since: Option<Position>,
        owed: Option<Owed>,
        id: i64,
        failure: Control,
    ) -> VecDeque<Section> {
        let start = since.map_or(Start::Live, start_of);
        let id = since.map(|_| id);
        if listed {
            return [Section::GateOver { stream, start, owed, id }].into();
        }
        [Section::Gate { stream, start, id }, Section::Insert { stream, owed, failure: Some(failure) }].into()
    }

    pub(super) fn resume(&mut self, client: usize, topics: [bool; TOPICS], since: Since) {
        let own = |stream: usize| (stream, self.position(client, stream, since));
        let mut named: Vec<_> = [ALL, ROLE].into_iter().map(own).collect();
        named.extend((0..TOPICS).filter(|topic| topics[*topic]).map(own));
        let id = self.sends(client, Command::Resume);
        let Some(connection) = &mut self.connections[client] else { return };
        let granted = connection.hold.take().unwrap_or_default();
        let (mut held, mut others, mut gaps, mut goes_on) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (stream, position) in named {
            let Some(position) = position else {
                goes_on.push(stream);
                continue;
            };
            if stream < TOPICS {
                others.push((stream, position));
                continue;
            }
            if stream == ROLE && !connection.role {
                continue;
            }
            if !connection.queue.is_held(&route_of(stream)) {
                connection.client.not_granted[stream] = true;
                gaps.push(Gap {
                    stream: Stream::of(&route_of(stream)),
                    from: Some(position.offset.saturating_add(1)),
                    to: None,
                    missed: None,
                    position: None,
                    reason: GapReason::NotGranted,
                });
                continue;
            }
            let may_read = granted[stream];
            held.push((stream, position, may_read));
        }
        let begun = connection.queue.begin_resume(Some(CommandId::Number(id))).is_ok();
        if begun {
            goes_on.into_iter().for_each(|stream| connection.client.goes_on(stream));
            for (stream, position, may_read) in &held {
                if *may_read {
                    connection.client.begins(id, *stream, *position);
                } else {
                    connection.client.not_granted[*stream] = true;
                }
            }
            connection.queue.resume_held(
                held.into_iter()
                    .map(|(stream, position, may_read)| Resumed {
                        stream: route_of(stream),
                        start: may_read.then(|| start_of(position)),
                        cause: (!may_read).then_some(GapReason::NotGranted),
                    })
                    .collect(),
            );
            connection.resume = Some(Resume { id, topics: others });
        }
        gaps.into_iter().for_each(|gap| self.send(client, &Control::Gap(gap)));
        if !begun {
            let reply = ErrorReply::new(Some(CommandId::Number(id)), ErrorCode::Conflict, "pending");
            self.send(client, &Control::Error(reply));
        }
    }
}
