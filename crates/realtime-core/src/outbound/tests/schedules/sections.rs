//! The sections of the changes of a connection, and its task.

use super::*;

impl Node {
    /// Runs the next section of a change or of a `resume`; false if there is nothing to do, or it has to wait.
    pub(super) fn go_on(&mut self, client: usize) -> bool {
        let Some(connection) = &mut self.connections[client] else { return false };
        let Some(change) = &mut connection.change else { return self.resume_next(client) };
        let Some(section) = change.sections.pop_front() else {
            connection.change = None;
            return true;
        };
        if self.waits(&section) {
            if let Some(change) = self.connections[client].as_mut().and_then(|connection| connection.change.as_mut()) {
                change.sections.push_front(section);
            }
            return false;
        }
        self.run(client, section);
        true
    }

    fn waits(&self, section: &Section) -> bool {
        match section {
            Section::GateAtTop { stream, .. } | Section::Insert { stream, .. } | Section::Remove { stream } => {
                self.is_locked(*stream)
            }
            Section::GateOver { stream, start, .. } => *start == Start::Live && self.is_locked(*stream),
            _ => false,
        }
    }

    fn run(&mut self, client: usize, section: Section) {
        let topics = self.bounds.topics;
        match section {
            Section::Insert { stream, owed, failure } => {
                let Some(connection) = &mut self.connections[client] else { return };
                let full = connection.listed[..TOPICS].iter().filter(|listed| **listed).count() >= topics;
                if stream < TOPICS && full {
                    assert_eq!(connection.queue.end_stream(&route_of(stream)), [], "nothing is owed yet");
                    match failure {
                        // A part of a `resume`.
                        Some(Control::Unsubscribed(notice)) => {
                            connection.queue.not_resumed();
                            self.send(client, &Control::Unsubscribed(notice));
                        }
                        Some(failure) => self.send(client, &failure),
                        None => {}
                    }
                    return;
                }
                connection.listed[stream] = true;
                if let Some(change) = &mut connection.change {
                    change.sections.push_front(Section::Open { stream, owed });
                }
            }
            Section::End { stream } => {
                let Some(connection) = &mut self.connections[client] else { return };
                connection.client.begins_no_more(stream);
                for error in connection.queue.end_stream(&route_of(stream)).into_iter().rev() {
                    if let Some(change) = &mut connection.change {
                        change.sections.push_front(Section::Send(error));
                    }
                }
            }
            Section::Send(control) => self.send(client, &control),
            Section::RolesChanged { id, gained } => {
                let Some(connection) = &mut self.connections[client] else { return };
                connection.role = gained;
                let streams = connection.gained.take().filter(|_| gained).map(|position| {
                    let stream = Stream::of(&route_of(ROLE)).expect("a stream");
                    [(stream, position)].into()
                });
                let ack = Ack { streams, ..Ack::new(CommandId::Number(id)) };
                self.send(client, &Control::Ack(ack));
            }
            section => self.run_in_queue(client, section),
        }
    }

    fn run_in_queue(&mut self, client: usize, section: Section) {
        let absent = self.empty_log();
        let Some(connection) = &mut self.connections[client] else { return };
        match section {
            Section::GateAtTop { stream, held } => {
                let log = self.logs[stream].as_ref().unwrap_or(&absent);
                let start = Start::after(&log.position());
                let gate = match (held, connection.registered) {
                    (true, _) => Gate::held(route_of(stream), start),
                    (false, true) => Gate::opening(route_of(stream), start),
                    // The task does not run before the connection is registered.
                    (false, false) => Gate::open(route_of(stream), start),
                };
                if connection.registered {
                    connection.gained = Some(log.position());
                } else {
                    connection.client.welcomed(stream, Position { epoch: Some(log.epoch()), offset: log.top() }, held);
                }
                connection.queue.add_gate(gate);
            }
            Section::Gate { stream, start, id } => {
                begins(&mut connection.client, id, stream, &start);
                connection.queue.add_gate(Gate::opening(route_of(stream), start));
            }
            Section::GateOver { stream, start, owed, id } => {
                begins(&mut connection.client, id, stream, &start);
                let gate = Gate::open(route_of(stream), start.clone()).owing(owed);
                if start == Start::Live {
                    connection.queue.add_gate_over_live(gate, self.logs[stream].as_ref().unwrap_or(&absent));
                } else {
                    connection.queue.add_gate(gate);
                }
            }
            Section::Open { stream, owed } => connection.queue.open_gate(&route_of(stream), owed),
            Section::Remove { stream } => connection.listed[stream] = false,
            Section::Opened { role } => (connection.registered, connection.role) = (true, role),
            _ => {}
        }
    }

    /// The next topic of a `resume`, or its end.
    fn resume_next(&mut self, client: usize) -> bool {
        let Some(connection) = &mut self.connections[client] else { return false };
        let Some(resume) = &mut connection.resume else { return false };
        let id = resume.id;
        if let Some((topic, position)) = resume.topics.pop() {
            let listed = connection.listed[topic];
            connection.queue.expect_resumed();
            let notice = Unsubscribed { topic: topic_of(topic), reason: UnsubscribedReason::Revoked };
            let failure = Control::Unsubscribed(notice);
            let sections = self.join(topic, listed, Some(position), Some(Owed::Resumed), id, failure);
            if let Some(connection) = &mut self.connections[client] {
                // The bus may have to be asked: the task writes meanwhile.
                connection.change = Some(Change { sections, by_task: false });
            }
            return true;
        }
        connection.resume = None;
        if let Some(ack) = connection.queue.settle_resume() {
            self.send(client, &ack);
        }
        true
    }

    // --- the task of a connection

    /// Writes what waits, or a page; false if there is nothing, or it has to wait.
    pub(super) fn pump(&mut self, client: usize, messages: usize) -> Result<bool, String> {
        let absent = self.empty_log();
        let locked: Vec<_> = (0..STREAMS).map(|stream| self.is_locked(stream)).collect();
        let Some(connection) = &mut self.connections[client] else { return Ok(false) };
        if !connection.registered || connection.change.as_ref().is_some_and(|change| change.by_task) {
            return Ok(false);
        }
        let Some(route) = connection.queue.next_open() else {
            if connection.queue.is_empty() {
                return Ok(false);
            }
            let mut batch = VecDeque::new();
            let gaps = connection.queue.take(&mut batch);
            let gaps = gaps.into_iter().map(|gap| encode_control(&Control::Gap(gap), Timestamp::EPOCH));
            let written: Vec<_> = gaps.chain(batch).collect();
            return self.write(client, &written).map(|()| true);
        };
        let stream = stream_of(&route);
        if locked[stream] {
            return Ok(false);
        }
        let log = self.logs[stream].as_ref().unwrap_or(&absent);
        let (limits, id) = (PageLimits { messages, bytes: 10_000 }, client_id(client));
        let mut batch = VecDeque::new();
        let page = connection.queue.take_page(&route, log, &self.epochs, Some(&id), limits, &mut batch);
        let Some(Page { dropped, gap, frames, replies, live }) = page else {
            return Err(format!("an open gate of stream {stream} has no page"));
        };
        if live == connection.queue.has_gate(&route) {
            return Err(format!("stream {stream} is live: {live}, and its gate says otherwise"));
        }
        let control = |control: &Control| encode_control(control, Timestamp::EPOCH);
        let dropped = dropped.into_iter().map(|gap| control(&Control::Gap(gap)));
        let gap = gap.map(|gap| control(&Control::Gap(gap)));
        let written: Vec<_> =
            dropped.chain(batch).chain(gap).chain(frames).chain(replies.iter().map(control)).collect();
        self.write(client, &written).map(|()| true)
    }

    /// The client reads what is written.
    fn write(&mut self, client: usize, frames: &[Frame]) -> Judged {
        let now: Vec<_> = (0..STREAMS).map(|stream| self.now(stream)).collect();
        let Some(connection) = &mut self.connections[client] else { return Ok(()) };
        frames.iter().try_for_each(|frame| connection.client.reads(frame, &self.published, |stream| now[stream]))
    }

    /// Runs everything to its end, and checks that it is complete.
    pub(in super::super) fn finish(&mut self) -> Judged {
        for _ in 0..10_000 {
            let mut moved = false;
            for publisher in 0..PUBLISHERS {
                moved |= self.push_next(publisher);
            }
            for client in 0..CLIENTS {
                moved |= self.go_on(client) || self.pump(client, 2)?;
                self.check()?;
            }
            if moved {
                continue;
            }
            (0..CLIENTS).for_each(|client| self.hold_expires(client));
            let waits = |connection: &Connection| !connection.queue.is_empty() || connection.queue.rare.is_some();
            if !self.connections.iter().flatten().any(waits) {
                return self.is_complete();
            }
        }
        Err(format!("it does not come to rest: {:?}", self.connections))
    }

    fn is_complete(&self) -> Judged {
        for connection in self.connections.iter().flatten() {
            let unanswered = connection.client.unanswered();
            if !unanswered.is_empty() {
                return Err(format!("commands {unanswered:?} were never answered"));
            }
            for stream in 0..STREAMS {
                connection.client.is_complete(stream, connection.listed[stream], &self.published, self.now(stream))?;
            }
        }
        Ok(())
    }
}

fn begins(client: &mut Client, id: Option<i64>, stream: usize, start: &Start) {
    if let (Some(id), Start::After(epoch, offset)) = (id, start) {
        client.begins(id, stream, Position { epoch: *epoch, offset: *offset });
    }
}
