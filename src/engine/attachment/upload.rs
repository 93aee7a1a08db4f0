//! When reports are uploaded, and what that says of the server in use: nothing that decides about it, but what it asks for
//! holds.

use super::Attachment;
use super::active::Active;
use super::backlogs::{Backlogs, Before, Switches};
use super::plan::{Criteria, LastResort};
use super::ranked_servers::Member;
use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::session::{Attempt, Receipt, Sending, Sent, Taker};
use crate::engine::tuning::Tuning;
use crate::engine::{Action, Ending, Event, Input, Reason};
use crate::settings::Effective;
use crate::types::{Backlog, Failure, FailureClass, Lane, Moment, Request};

impl Attachment {
    // --- getters ---

    /// The lane to upload next, and from when on.
    fn next_upload(&self, now: Moment) -> Option<(Lane, Moment)> {
        let (backlogs, active) = (self.backlogs.as_ref()?, self.active()?);
        let reads = active.reader.is_reading() || active.reader.due(now).is_some() || self.registers(now);
        let before = if reads { Before::Documents } else { Before::Nothing };
        if active.upload.is_under_way() { None } else { backlogs.next(now, before) }
    }

    /// When an upload begins or has taken too long, or the link is not kept for the next one any more.
    pub(super) fn upload_deadline(&self, active: &Active, now: Moment, tuning: &Tuning) -> Option<Moment> {
        let backlogs = self.backlogs.as_ref()?;
        let begins = self.next_upload(now).map(|(_, at)| at);
        let keeps = backlogs.keeps_link_until().filter(|&until| until > now);
        let keeps = active.heartbeat.link().and(keeps);
        active.upload.deadline(&tuning.attachment).into_iter().chain(begins).chain(keeps).min()
    }

    /// Whether the kept link may soon be of use for reports.
    pub(super) fn upload_wants_link(&self, now: Moment) -> bool {
        let is_due = self.next_upload(now).is_some_and(|(_, at)| at <= now);
        is_due || self.backlogs.as_ref().is_some_and(|backlogs| backlogs.keeps_link_until() > Some(now))
    }

    /// From when on a search may begin because a critical report waits.
    pub(super) fn report_searches_at(&self) -> Option<Moment> {
        self.backlogs.as_ref()?.search_at()
    }

    // --- commands ---

    /// So much waits in a lane of the driver's outbox.
    pub(in crate::engine) fn waiting(&mut self, cx: &Context<'_>, lane: Lane, backlog: Backlog) {
        // An engine whose driver has no outbox needs no room for one.
        if backlog.reports == 0 && self.backlogs.is_none() {
            return;
        }
        let switches = self.switches;
        let backlogs = self.backlogs.get_or_insert_with(|| Box::new(Backlogs::new(cx.now, switches)));
        backlogs.set(lane, backlog);
    }

    /// What the settings say of reports.
    pub(super) fn switch_reports(&mut self, cx: &mut Context<'_>, effective: &Effective) {
        let switches = Switches {
            critical_at_once: effective.upload_critical_immediately.value,
            learns: effective.learn_applications.value,
        };
        if switches.learns != self.switches.learns {
            cx.act(Action::LearnApplications { enabled: switches.learns });
        }
        self.switches = switches;
        if let Some(backlogs) = &mut self.backlogs {
            backlogs.switch(switches);
        }
    }

    /// A critical report waits, and no server is attached.
    pub(super) fn search_for_report(&mut self, cx: &mut Context<'_>) {
        if let Some(backlogs) = &mut self.backlogs {
            backlogs.searched(cx.now, &cx.tuning.schedule);
        }
        self.search(cx, Reason::ReportWaits);
    }

    /// Begins the upload whose time has come, and ends one that takes too long.
    pub(super) fn tick_upload(&mut self, cx: &mut Context<'_>) {
        let Some(active) = self.active_mut() else {
            return;
        };
        if let Some((sending, failure)) = active.upload.expire(cx) {
            self.upload_failed(cx, &sending, &failure);
        }
        // A lane that cannot be sent now is put off, and the next may have its turn.
        for _lane in Lane::ALL {
            match self.next_upload(cx.now) {
                Some((lane, at)) if at <= cx.now => self.begin_upload(cx, lane),
                Some(_) | None => return,
            }
        }
    }

    /// What there is to say of critical reports.
    pub(super) fn critical_request(&self) -> Option<Request> {
        let backlogs = self.backlogs.as_ref().filter(|backlogs| backlogs.waiting(Lane::Critical) > 0)?;
        Some(Request::Upload { lane: Lane::Critical, at_most: backlogs.at_most(Lane::Critical) })
    }

    /// A server has taken so many reports of a batch, and left others.
    pub(super) fn uploaded(
        &mut self,
        cx: &mut Context<'_>,
        lane: Lane,
        record: usize,
        (reports, left): (u64, u64),
    ) {
        let Some(backlogs) = &mut self.backlogs else {
            return;
        };
        backlogs.acknowledged(cx, lane, reports, left);
        let (server, waiting) = (self.servers.id(record), backlogs.waiting(lane));
        cx.emit(Event::Uploaded { server, lane, reports, waiting });
    }

    // --- handle ---

    /// Hands an input to the upload. `false`: it is not about it.
    pub(super) fn upload_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let Some(active) = self.active_mut() else {
            return false;
        };
        let Some(sent) = active.upload.handle(cx, input) else {
            return false;
        };
        if let Sent::Over(sending, receipt) = sent {
            self.upload_over(cx, &sending, receipt);
        }
        true
    }

    fn upload_over(&mut self, cx: &mut Context<'_>, sending: &Sending, receipt: Receipt) {
        let drain = match receipt {
            Receipt::Acknowledged { link, reports, left, drain } => {
                match (sending.to, self.active_mut()) {
                    (Taker::Active, Some(active)) => active.heartbeat.give_back(cx, link),
                    (Taker::Another, _) | (Taker::Active, None) => cx.queue.close(link.id, Ending::Idle),
                }
                if reports == 0 {
                    self.upload_refused(cx, sending, "the server acknowledged none of them");
                } else {
                    self.uploaded(cx, sending.lane, sending.attempt.target.record, (reports, left));
                }
                drain
            }
            Receipt::Declined { status: TOO_LARGE, drain } => {
                self.too_large(cx, sending);
                drain
            }
            // A driver that uploads nothing knows that.
            Receipt::Declined { status: 0, drain } => {
                self.lane_failed(cx, sending.lane);
                drain
            }
            Receipt::Declined { status, drain } => {
                self.tell_upload_failed(
                    cx,
                    sending,
                    &format!("the server takes none of this lane ({status})"),
                );
                if let Some(backlogs) = &mut self.backlogs {
                    backlogs.declined(sending.lane);
                }
                drain
            }
            Receipt::Failed { failure, drain } => {
                self.upload_failed(cx, sending, &failure);
                drain
            }
        };
        if sending.to == Taker::Active {
            self.drained(cx, drain);
        }
    }

    // --- helpers ---

    fn begin_upload(&mut self, cx: &mut Context<'_>, lane: Lane) {
        let (Some(backlogs), Some(target)) = (&self.backlogs, self.active_target(cx)) else {
            return;
        };
        let request = Request::Upload { lane, at_most: backlogs.at_most(lane) };
        let record = target.record;
        let floor = self.servers.record(record).and_then(|record| record.throttled_until());
        if let Some(floor) = floor.filter(|&floor| floor > cx.now) {
            return self.begin_upload_elsewhere(cx, lane, request, floor);
        }
        let opens = self.servers.opens_beside(cx.present(), record);
        let attempt = match self.active_mut().and_then(|active| active.lend_link(cx.now)) {
            Some(link) => {
                cx.queue.hand_over(link.id.0, Owner::Upload);
                Attempt::on_link(cx, Owner::Upload, target, request, link)
            }
            None if opens <= cx.now => self.servers.begin_target(cx, Owner::Upload, target, request),
            None => return self.put_off(lane, opens),
        };
        self.began_upload(cx, lane, attempt, Taker::Active);
    }

    /// The server in use asks for patience. What is critical goes to another one of the same priority, if there is one;
    /// everything else waits.
    fn begin_upload_elsewhere(&mut self, cx: &mut Context<'_>, lane: Lane, request: Request, floor: Moment) {
        let another = if lane == Lane::Critical { self.another_of_the_priority(cx) } else { None };
        let Some(member) = another else {
            return self.put_off(lane, floor);
        };
        let attempt = self.servers.begin(cx, Owner::Upload, &member, request);
        self.began_upload(cx, lane, attempt, Taker::Another);
    }

    fn another_of_the_priority(&self, cx: &Context<'_>) -> Option<Member> {
        let active = self.active()?;
        let criteria = Criteria {
            without: Some(active.record()),
            lowest: Some(active.member.priority),
            last_resort: LastResort::Never,
            in_turns: false,
        };
        let plan = self.servers.plan(cx, criteria).into_iter().map(|entry| entry.member);
        plan.into_iter().find(|member| {
            let opens = self.servers.opens(cx.present(), member.record.into());
            member.priority == active.member.priority && opens <= cx.now
        })
    }

    fn began_upload(&mut self, cx: &mut Context<'_>, lane: Lane, attempt: Attempt, to: Taker) {
        if let Some(backlogs) = &mut self.backlogs {
            backlogs.begun(lane, cx.now, &cx.tuning.schedule);
        }
        if let Some(active) = self.active_mut() {
            active.upload.begin(lane, attempt, to);
        }
    }

    fn put_off(&mut self, lane: Lane, until: Moment) {
        if let Some(backlogs) = &mut self.backlogs {
            backlogs.wait(lane, until);
        }
    }

    /// The batch was too large for the server, or for a proxy in front of it. What could not be made smaller is wrong.
    fn too_large(&mut self, cx: &mut Context<'_>, sending: &Sending) {
        let Some(backlogs) = &mut self.backlogs else {
            return;
        };
        if backlogs.at_most(sending.lane) <= 1 {
            return self.upload_refused(cx, sending, "the server calls one report too large (413)");
        }
        backlogs.halve(sending.lane);
        backlogs.retry(sending.lane, cx.now);
    }

    fn upload_refused(&mut self, cx: &mut Context<'_>, sending: &Sending, detail: &str) {
        self.tell_upload_failed(cx, sending, detail);
        if !self.tries_again(cx, sending.lane) {
            self.lane_failed(cx, sending.lane);
        }
    }

    fn tries_again(&mut self, cx: &Context<'_>, lane: Lane) -> bool {
        self.backlogs.as_mut().is_some_and(|backlogs| backlogs.refused(lane, cx.now))
    }

    fn tell_upload_failed(&self, cx: &mut Context<'_>, sending: &Sending, detail: &str) {
        let server = self.servers.id(sending.attempt.target.record);
        cx.emit(Event::UploadFailed { server, lane: sending.lane, detail: detail.to_owned() });
    }

    fn upload_failed(&mut self, cx: &mut Context<'_>, sending: &Sending, failure: &Failure) {
        let (lane, attempt) = (sending.lane, &sending.attempt);
        if failure.class() == FailureClass::TooLarge {
            return self.too_large(cx, sending);
        }
        let Some(backlogs) = &mut self.backlogs else {
            return;
        };
        if attempt.reused && matches!(failure.class(), FailureClass::ClosedIdle | FailureClass::Broken) {
            // The kept link may have been closed before the first byte: a fresh one tells.
            return backlogs.retry(lane, cx.now);
        }
        if may_be_the_batch(failure.class()) {
            backlogs.halve(lane);
        }
        let record = attempt.target.record;
        let is_throttled = failure.class() == FailureClass::Throttled;
        if is_throttled && sending.to == Taker::Active {
            self.throttled(cx, failure);
        } else if is_throttled {
            self.servers.charge(cx, record, attempt.target.server.policy, failure);
            self.memorable = true;
        }
        self.tell_upload_failed(cx, sending, &failure.to_string());
        if failure.class().is_a_refusal() && self.tries_again(cx, lane) {
            return;
        }
        let is_first = self.lane_failed(cx, lane);
        if is_first && !is_throttled && sending.to == Taker::Active {
            // Whether the server is there at all is not for an upload to say.
            self.beat(cx);
        }
    }

    fn lane_failed(&mut self, cx: &mut Context<'_>, lane: Lane) -> bool {
        self.backlogs.as_mut().is_some_and(|backlogs| backlogs.failed(cx, lane))
    }
}

/// Whether a smaller batch may fare better: it is too long for the line, or something on the way refuses one report of it.
fn may_be_the_batch(class: FailureClass) -> bool {
    let may = [FailureClass::Silent, FailureClass::Limit, FailureClass::Broken, FailureClass::NotAllowed];
    class.is_a_refusal() || may.contains(&class)
}

/// The status of an answer that says: too much at once.
const TOO_LARGE: u16 = 413;
