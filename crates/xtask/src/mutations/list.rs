//! The bugs. Each is one that this protocol's implementations had or could have, put where it would
//! be here.

/// A bug that is put in.
pub(super) struct Mutation {
    pub(super) name: &'static str,
    /// What the bug is.
    pub(super) bug: &'static str,
    /// Where it is put; each of its places is there exactly once.
    pub(super) edits: &'static [Edit],
}

/// One text and what it becomes.
pub(super) struct Edit {
    /// From the workspace's root.
    pub(super) file: &'static str,
    pub(super) text: &'static str,
    pub(super) becomes: &'static str,
}

/// All of them.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "acknowledge-early",
        bug: "A follower acknowledges entries that its disk has not synced.",
        edits: &[Edit {
            file: "crates/zab/src/following.rs",
            text: r#"        server.append_batch(out);
"#,
            becomes: r#"        if let Some(last) = server.append_batch(out).last() {
            self.send(Message::Ack { zxid: last.zxid }, out);
        }
"#,
        }],
    },
    Mutation {
        name: "leader-counts-memory",
        bug: "A leader counts what its own disk has not synced.",
        edits: &[Edit {
            file: "crates/zab/src/leading/broadcast.rs",
            text: "            return server.history.durable();",
            becomes: "            return server.history.last();",
        }],
    },
    Mutation {
        name: "epoch-before-entries",
        bug: "A learner counts as holding the start of the epoch, and all before it, once it was sent.",
        edits: &[Edit {
            file: "crates/zab/src/leading/synchronisation.rs",
            text: "learner.stage = Stage::Synchronised { acked: after };",
            becomes: "learner.stage = Stage::Synchronised { acked: through };",
        }],
    },
    Mutation {
        name: "promise-early",
        bug: "A promise is given before it is durable.",
        edits: &[Edit {
            file: "crates/zab/src/following.rs",
            text: r#"            self.promising = Some(epoch);
            server.promise(Promise { epoch, to }, out);"#,
            becomes: r#"            server.promise(Promise { epoch, to }, out);
            self.answer_promise(server, epoch, true, out);"#,
        }],
    },
    Mutation {
        name: "leader-promise-early",
        bug: "A leader asks for promises before its own is durable.",
        edits: &[Edit {
            file: "crates/zab/src/leading/discovery.rs",
            text: "        server.promise(Promise { epoch: self.epoch, to: server.member }, out);",
            becomes: r#"        server.promise(Promise { epoch: self.epoch, to: server.member }, out);
        self.own_promise = true;
        let proposal = self.proposal();
        self.learners.keys().for_each(|channel| send(*channel, proposal.clone(), out));"#,
        }],
    },
    Mutation {
        name: "promise-to-anybody",
        bug: "An epoch is promised, but not to one leader only.",
        edits: &[
            Edit {
                file: "crates/zab/src/following.rs",
                text: r#"        if epoch == server.promise.epoch && to == server.promise.to {
            self.answer_promise(server, epoch, false, out);"#,
                becomes: r#"        if epoch == server.promise.epoch {
            self.answer_promise(server, epoch, true, out);"#,
            },
            Edit {
                file: "crates/zab/src/leading/discovery.rs",
                text: "            _ if epoch > self.epoch || elsewhere =>",
                becomes: "            _ if epoch > self.epoch && !elsewhere =>",
            },
        ],
    },
    Mutation {
        name: "gap-taken",
        bug: "A learner takes an entry that does not follow the last one of its log.",
        edits: &[
            Edit {
                file: "crates/zab/src/following.rs",
                text: "if !synchronised || entry.prev_zxid != last || entry.zxid <= last {",
                becomes: "if !synchronised || entry.zxid <= last {",
            },
            Edit {
                file: "crates/zab/src/history.rs",
                text: r#"        assert_eq!(entry.prev_zxid, self.last, "a gap in the log");
"#,
                becomes: "",
            },
        ],
    },
    Mutation {
        name: "vote-from-memory",
        bug: "A vote names what the disk has not synced, while it is still at work.",
        edits: &[
            Edit {
                file: "crates/zab/src/zab.rs",
                text: "if matches!(self.role, Role::Draining) && self.server.disk.is_idle() {",
                becomes: "if matches!(self.role, Role::Draining) {",
            },
            Edit {
                file: "crates/zab/src/looking.rs",
                text: "Vote { zxid: server.history.durable(), leader }",
                becomes: "Vote { zxid: server.history.last(), leader }",
            },
        ],
    },
    Mutation {
        name: "cut-below-commit",
        bug: "A leader has a learner cut its log at the beginning and sends it all again.",
        edits: &[Edit {
            file: "crates/zab/src/leading/synchronisation.rs",
            text: "            Some(common) => (Plan::Truncate(common), common),",
            becomes: "            Some(_) => (Plan::Truncate(mine.first()), mine.first()),",
        }],
    },
    Mutation {
        name: "late-completion",
        bug: "The disk speaks of entries that were cut off meanwhile, and they count.",
        edits: &[
            Edit {
                file: "crates/zab/src/zab.rs",
                text: "if matches!(self.role, Role::Draining) && self.server.disk.is_idle() {",
                becomes: "if matches!(self.role, Role::Draining) {",
            },
            Edit {
                file: "crates/zab/src/zab.rs",
                text: "            Role::Looking(_) => assert!(self.server.disk.is_idle()),",
                becomes: "            Role::Looking(_) => {}",
            },
            Edit {
                file: "crates/zab/src/history.rs",
                text: r#"        assert!(self.durable == self.last, "a cut while the disk is at work");
"#,
                becomes: r#"        self.batch.clear();
"#,
            },
            Edit {
                file: "crates/zab/src/history.rs",
                text: r#"        assert!(through > self.durable && through <= self.last, "{through} was not being written");
"#,
                becomes: "",
            },
        ],
    },
    Mutation {
        name: "lease-without-round",
        bug: "A touch is confirmed without asking a quorum.",
        edits: &[Edit {
            file: "crates/zab/src/leading/rounds.rs",
            text: "        if server.is_alone() {",
            becomes: "        if server.is_alone() || matches!(asked.question, Question::Touch { .. }) {",
        }],
    },
    Mutation {
        name: "sync-without-round",
        bug: "A sync is answered without asking a quorum.",
        edits: &[Edit {
            file: "crates/zab/src/leading/rounds.rs",
            text: "        if server.is_alone() {",
            becomes: "        if server.is_alone() || matches!(asked.question, Question::Sync { .. }) {",
        }],
    },
    Mutation {
        name: "one-quorum",
        bug: "While the voters change, a quorum of one set is enough.",
        edits: &[Edit {
            file: "crates/zab/src/config.rs",
            text: "        self.sets().all(|voters| voters.is_quorum(&agrees))",
            becomes: "        self.voters.is_quorum(&agrees)",
        }],
    },
    Mutation {
        name: "observers-counted",
        bug: "What observers hold is counted.",
        edits: &[Edit {
            file: "crates/zab/src/leading/broadcast.rs",
            text: r#"        let reached = server.config().reached(|id| self.acked_by(server, id));
"#,
            becomes: r#"        let mut held: Vec<_> = self.learners.values().map(Learner::acked).collect();
        held.push(server.history.durable());
        held.sort_unstable_by(|one, other| other.cmp(one));
        let reached = held.get(server.config().everyone().count() / 2).copied();
        let reached = reached.unwrap_or_default();
"#,
        }],
    },
    Mutation {
        name: "observers-in-rounds",
        bug: "The answers of observers are counted when a leader asks whether it still leads.",
        edits: &[Edit {
            file: "crates/zab/src/leading/rounds.rs",
            text: r#"        server.config().is_quorum(|id| {
            id == server.member.id || self.voter(server, id).is_some_and(|l| l.ponged >= round)
        })"#,
            becomes: r#"        let answered = self.learners.values().filter(|l| l.ponged >= round).count();
        2 * (answered + 1) > server.config().everyone().count()"#,
        }],
    },
    Mutation {
        name: "old-entries-alone",
        bug: "Entries of earlier epochs are committed before the start of the new one is.",
        edits: &[Edit {
            file: "crates/zab/src/leading/broadcast.rs",
            text: r#"        if self.phase < Phase::Starting || reached < start && self.phase == Phase::Starting {
            return;
"#,
            becomes: r#"        if self.phase < Phase::Starting || reached < start && self.phase == Phase::Starting {
            if self.phase == Phase::Starting {
                server.history.commit(reached, out);
            }
            return;
"#,
        }],
    },
    Mutation {
        name: "serves-early",
        bug: "A learner serves clients before it has what its leader had.",
        edits: &[Edit {
            file: "crates/zab/src/following.rs",
            text: r#"        let Phase::Synchronising { through } = self.phase else { return };
        if server.history.committed() >= through {"#,
            becomes: "        if matches!(self.phase, Phase::Synchronising { .. }) {",
        }],
    },
    Mutation {
        name: "any-life-counts",
        bug: "A voter that lost its disk is counted as if it had not.",
        edits: &[Edit {
            file: "crates/zab/src/config.rs",
            text: "self.is_voter(member.id) && registered.is_none_or(|life| *life == Some(member.incarnation))",
            becomes: "self.is_voter(member.id) && registered.is_none_or(|_| true)",
        }],
    },
    Mutation {
        name: "one-step-admission",
        bug: "A voter that lost its disk is admitted in one step.",
        edits: &[Edit {
            file: "crates/zab/src/leading/admission.rs",
            text: "        let is_replaced = matches!(config.registered.get(&id), Some(Some(_)));",
            becomes: "        let is_replaced = false;",
        }],
    },
    Mutation {
        name: "leads-alone",
        bug: "A leader goes on though it has lost its quorum.",
        edits: &[Edit {
            file: "crates/zab/src/leading/mod.rs",
            text: "        let alone = self.is_broadcasting() && !has_quorum;",
            becomes: "        let alone = self.is_broadcasting() && !has_quorum && false;",
        }],
    },
    Mutation {
        name: "better-log-ignored",
        bug: "A leader takes the promise of a server that has more than itself.",
        edits: &[Edit {
            file: "crates/zab/src/leading/discovery.rs",
            text: "        if counted && self.phase == Phase::Promising && *last > server.history.last() {",
            becomes: "        if counted && self.phase == Phase::Promising && *last > server.history.last() && false {",
        }],
    },
    Mutation {
        name: "forms-with-quorum",
        bug: "A quorum of servers with empty disks is enough to begin anew.",
        edits: &[
            Edit {
                file: "crates/zab/src/leading/discovery.rs",
                text: "            true => server.config().everyone().all(fresh),",
                becomes: "            true => server.config().is_quorum(fresh),",
            },
            Edit {
                file: "crates/zab/src/leading/discovery.rs",
                text: "            true => server.config().everyone().all(promised),",
                becomes: "            true => server.config().is_quorum(promised),",
            },
        ],
    },
    Mutation {
        name: "forward-of-former-owner",
        bug: "A command that was forwarded before its session moved is carried out after it.",
        edits: &[Edit {
            file: "crates/tree/src/session.rs",
            text: "        if session.owner != turn.owner {",
            becomes: "        if session.owner != turn.owner && turn.sequence == 0 {",
        }],
    },
    Mutation {
        name: "forward-repeated",
        bug: "A command that was forwarded twice is carried out twice.",
        edits: &[Edit {
            file: "crates/tree/src/session.rs",
            text: "            None | Some(0) => Err(Outcome::Repeat),",
            becomes: "            None | Some(0) => Ok(()),",
        }],
    },
    Mutation {
        name: "attach-of-former-owner",
        bug: "A session moves to whom asks for it, whoever had it meanwhile.",
        edits: &[Edit {
            file: "crates/tree/src/session.rs",
            text: "        } else if owner == seen {",
            becomes: "        } else if owner == seen || owner != session.owner {",
        }],
    },
    Mutation {
        name: "lease-ignored",
        bug: "A client is told whatever it may be told, however long ago its session was known to live.",
        edits: &[Edit {
            file: "crates/node/src/lease.rs",
            text: "        self.until(timeout).is_none_or(|until| now + Millis(timeout.0 / 30) <= until)",
            becomes: "        self.until(timeout).is_none_or(|until| now + Millis(timeout.0 / 30) <= until || timeout.0 > 0)",
        }],
    },
    Mutation {
        name: "dead-session-confirmed",
        bug: "The leader confirms touches of sessions that have ended.",
        edits: &[Edit {
            file: "crates/node/src/lease.rs",
            text: "        touches.retain(|touch| self.expiry.touch(touch.session, now));",
            becomes: "        touches.iter().for_each(|touch| drop(self.expiry.touch(touch.session, now)));",
        }],
    },
];
