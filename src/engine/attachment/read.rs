//! What a read of the settings or the policy says of the server in use: nothing that decides about it, but what it asks for
//! holds.

use std::sync::Arc;
use std::time::Duration;

use super::Attachment;
use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::session::{Attempt, Document, Read};
use crate::engine::{Action, Ending, Event, Input, TakesSettings};
use crate::types::{Failure, FailureClass, Proof, Request};

impl Attachment {
    /// The product has taken this policy over for good.
    pub(in crate::engine) fn confirm_policy(&mut self, cx: &mut Context<'_>, tag: Arc<str>) {
        let fits = self.announced.confirm(Document::Policy, tag);
        self.memorable |= fits;
        cx.queue.stale_inputs += u64::from(!fits);
    }

    /// The agent has the settings of this tag.
    pub(in crate::engine) fn has_settings(&mut self, tag: Option<&Arc<str>>) {
        if let Some(tag) = tag {
            self.announced.confirm(Document::Settings, tag.clone());
        }
    }

    /// A heartbeat succeeded: is there another document to be read?
    pub(super) fn want_documents(&mut self, cx: &mut Context<'_>) {
        self.want_document(cx, Document::Settings, Duration::ZERO);
        self.want_document(cx, Document::Policy, Duration::ZERO);
    }

    /// The server has named a document: is it another, to be read at some instant within this time?
    pub(super) fn want_document(&mut self, cx: &mut Context<'_>, document: Document, within: Duration) {
        let is_wanted = match document {
            Document::Settings => self.takes_settings != TakesSettings::Never,
            Document::Policy => self.reads_policies,
        };
        if !is_wanted || !self.announced.has_another(document) {
            return;
        }
        let Some(active) = self.active() else {
            return;
        };
        if self.is_taken_over(document, active.reached.proof) {
            let at = Self::spread(cx, within);
            if let Some(active) = self.active_mut() {
                active.reader.want(at, document);
            }
            return;
        }
        self.announced.leaves(document);
        self.refuse_unverified(cx, document);
    }

    /// What an impostor may have written is no document, unless its signature is looked at.
    fn is_taken_over(&self, document: Document, proof: Proof) -> bool {
        proof > Proof::Tcp
            || document == Document::Settings
                && self.accepts_over_http.unwrap_or(self.takes_settings == TakesSettings::Signed)
    }

    fn refuse_unverified(&self, cx: &mut Context<'_>, document: Document) {
        if let Some(server) = self.active_id() {
            let detail = match document {
                Document::Settings => {
                    "they are not taken from a server that was not verified; use https, and verify the server, or sign them"
                }
                Document::Policy => {
                    "it is not taken from a server that was not verified; use https, and verify the server"
                }
            };
            cx.emit(document.failed(server, detail.to_owned()));
        }
    }

    /// Begins the read that is wanted, and ends one that takes too long.
    pub(super) fn tick_reader(&mut self, cx: &mut Context<'_>) {
        let Some(active) = self.active_mut() else {
            return;
        };
        if let Some((document, failure)) = active.reader.expire(cx) {
            return self.read_failed(cx, document, &failure);
        }
        let Some(document) = active.reader.due(cx.now).filter(|_| !active.upload.is_under_way()) else {
            return;
        };
        // Which group the agent is in may decide which documents it gets.
        if self.registers(cx.now) {
            return;
        }
        let known = self.announced.known(document);
        let request = match document {
            Document::Settings => Request::Settings { known },
            Document::Policy => Request::Policy { known },
        };
        let Some(target) = self.active_target(cx) else {
            return;
        };
        let floor = self.servers.record(target.record).and_then(|record| record.throttled_until());
        let may_dial = self.servers.opens_beside(cx.present(), target.record) <= cx.now;
        let lent = self.active_mut().and_then(|active| active.lend_link(cx.now));
        let attempt = match lent {
            Some(link) if floor.is_none_or(|floor| floor <= cx.now) => {
                cx.queue.hand_over(link.id.0, Owner::Reader);
                Some(Attempt::on_link(cx, Owner::Reader, target, request, link))
            }
            None if may_dial => Some(self.servers.begin_target(cx, Owner::Reader, target, request)),
            Some(link) => {
                if let Some(active) = self.active_mut() {
                    active.heartbeat.give_back(cx, link);
                }
                None
            }
            None => None,
        };
        if let Some(active) = self.active_mut() {
            match attempt {
                Some(attempt) => {
                    active.reader.begin(document, attempt);
                    self.announced.asks(document);
                }
                None => active.reader.put_off(),
            }
        }
    }

    /// Hands an input to the read it is about. `false`: it is about none.
    pub(super) fn reader_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let Some(active) = self.active_mut() else {
            return false;
        };
        let Some((document, read)) = active.reader.handle(cx, input) else {
            return false;
        };
        match read {
            Read::Nothing => {}
            Read::Answered { exchange, link, unchanged, tag, drain } => {
                active.heartbeat.give_back(cx, link);
                self.announced.looked_up(document);
                // Settings may have dropped the verification while it was on its way to another address.
                if !self.is_taken_over(document, link.proof) {
                    cx.queue.abandon(exchange, Ending::Failed);
                    self.refuse_unverified(cx, document);
                } else if unchanged {
                    cx.queue.abandon(exchange, Ending::Unchanged);
                } else if let (Some(server), Some(tag)) =
                    (self.active_id(), self.announced.hand_over(document, tag))
                {
                    cx.act(Action::Adopt { exchange });
                    cx.emit(match document {
                        Document::Settings => Event::Settings { server, tag },
                        Document::Policy => Event::Policy { server, tag },
                    });
                } else {
                    cx.queue.abandon(exchange, Ending::Failed);
                }
                self.want_document(cx, document, Duration::ZERO);
                self.drained(cx, drain);
            }
            Read::Declined { status, drain } => {
                self.announced.looked_up(document);
                // A driver that reads none knows that.
                if let Some(server) = self.active_id().filter(|_| status != 0) {
                    let detail = format!("the server has none for this agent ({status})");
                    cx.emit(document.failed(server, detail));
                }
                self.want_document(cx, document, Duration::ZERO);
                self.drained(cx, drain);
            }
            Read::Failed { failure, drain } => {
                self.read_failed(cx, document, &failure);
                self.drained(cx, drain);
            }
        }
        true
    }

    fn read_failed(&mut self, cx: &mut Context<'_>, document: Document, failure: &Failure) {
        let Some(active) = self.active() else {
            return;
        };
        let record = active.record();
        // What the server asks for holds, whatever it was asked.
        if failure.class() == FailureClass::Throttled {
            self.throttled(cx, failure);
        }
        cx.emit(document.failed(self.servers.id(record), failure.to_string()));
    }
}

impl Document {
    fn failed(self, server: crate::types::ServerId, detail: String) -> Event {
        match self {
            Self::Settings => Event::SettingsFailed { server, detail },
            Self::Policy => Event::PolicyFailed { server, detail },
        }
    }
}
