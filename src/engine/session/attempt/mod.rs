//! One attempt on one server: look its name up, connect, secure, exchange.
//!
//! ```text
//! Resolving ──► Connecting ──► Securing ──► Exchanging ──► (answered)
//!   (names)                     (https)          ▲
//!                              a kept link ──────┘
//! ```
//! When an endpoint fails, the next one is tried: see [`endpoints`](super::endpoints).
//!
//! An attempt knows its stage and its limits and nothing of other attempts: who may run when, and
//! what a success is worth, is decided by its owner.

mod spare;
mod walk;

use std::time::Duration;

use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::session::limits::Limits;
use crate::engine::session::link::Link;
use crate::engine::session::stage::Stage;
use crate::engine::session::step::{Answer, Step, is_about_the_request, shows_portal};
use crate::engine::session::target::Target;
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Action, Ending, Input, Turn};
use crate::settings::Protocol;
use crate::types::{
    Cause, Evidence, ExchangeId, Failure, Medium, Moment, Outcome, Proof, Request, SettingsId, Verdict,
};

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Attempt {
    pub(in crate::engine) target: Target,
    pub(in crate::engine) request: Request,
    pub(in crate::engine) started: Moment,
    /// How long the connection took; sets what counts as slow.
    pub(in crate::engine) connect_time: Option<Duration>,
    /// The newest sign of life.
    pub(in crate::engine) progress: Option<Moment>,
    /// Whether it began on a link that had served before.
    pub(in crate::engine) reused: bool,
    /// The part that hears of it.
    owner: Owner,
    stage: Stage,
    /// The settings whose policy the newest link was dialled under; the target's may be newer.
    dialled_under: SettingsId,
    /// The server's answer was about the request, which was then repeated.
    repeated: bool,
    /// The server has asked for patience meanwhile: nothing is asked again, anywhere.
    stays: bool,
    /// When the connection stood.
    connected: Moment,
    /// A kept link of the same server: used after all unless a better one is found.
    spare: Option<Box<Link>>,
}

impl Attempt {
    // --- beginning ---

    /// Begins with a name look-up or a dial.
    pub(in crate::engine) fn begin(
        cx: &mut Context<'_>,
        owner: Owner,
        target: Target,
        request: Request,
    ) -> Self {
        let mut attempt = Self::new(cx.now, owner, target, request);
        attempt.take_route(cx);
        attempt
    }

    /// Begins with an exchange on a link that stands.
    pub(in crate::engine) fn on_link(
        cx: &mut Context<'_>,
        owner: Owner,
        target: Target,
        request: Request,
        link: Link,
    ) -> Self {
        let mut attempt = Self { reused: true, ..Self::new(cx.now, owner, target, request) };
        attempt.exchange(cx, link);
        attempt
    }

    fn new(started: Moment, owner: Owner, target: Target, request: Request) -> Self {
        Self {
            dialled_under: target.policy.settings,
            target,
            request,
            started,
            connect_time: None,
            progress: None,
            reused: false,
            owner,
            stage: Stage::Ended,
            repeated: false,
            stays: false,
            connected: started,
            spare: None,
        }
    }

    // --- getters ---

    /// Whether an input is about this attempt.
    pub(in crate::engine) fn is_about(&self, input: &Input<'_>) -> bool {
        match *input {
            Input::Resolved { query, .. } | Input::LookUp { query, .. } => {
                matches!(self.stage, Stage::Resolving { query: ours, .. } if ours == query)
            }
            Input::Connected { link, .. } | Input::Secured { link, .. } => self.stage.link() == Some(link),
            Input::Lost { link, .. } => self.stage.link() == Some(link) || self.is_spare(link),
            Input::FirstByte { exchange } | Input::Done { exchange, .. } | Input::Notice { exchange, .. } => {
                self.stage.exchange() == Some(exchange)
            }
            Input::Timeout
            | Input::Network(_)
            | Input::OnNetwork(_)
            | Input::Resumed
            | Input::ClockStepped
            | Input::Probed { .. }
            | Input::Remembered(_)
            | Input::CannotRemember(_)
            | Input::Waiting { .. }
            | Input::Command(_) => false,
        }
    }

    /// When it will have taken too long, and what that is called.
    pub(in crate::engine) fn limit(&self, tuning: &Tuning) -> (Moment, Cause) {
        let limits = Limits::of(&self.request, tuning);
        let (end, cause) = match self.stage {
            Stage::Resolving { since: Some(since), .. } => (since + tuning.name_limit, Cause::NameTimeout),
            Stage::Resolving { since: None, .. } => (self.started + limits.whole, Cause::NameTimeout),
            Stage::Connecting { since, .. }
                if self.has_spare() || self.target.endpoints.has_other_route() =>
            {
                (since + tuning.route_limit, Cause::ConnectTimeout)
            }
            Stage::Connecting { since, .. } => (since + tuning.connect_limit, Cause::ConnectTimeout),
            Stage::Securing { since, .. } => {
                (self.endpoint_limit(tuning).min(since + tuning.tls_limit), Cause::TlsTimeout)
            }
            Stage::Exchanging { since, first_byte: None, .. } => {
                (self.endpoint_limit(tuning).min(since + limits.first_byte), Cause::NoFirstByte)
            }
            Stage::Exchanging { since, .. } => (since + limits.answer, Cause::ExchangeTimeout),
            Stage::Ended => return (NEVER, Cause::AttemptTimeout),
        };
        let whole = self.started + limits.whole;
        if whole < end { (whole, Cause::AttemptTimeout) } else { (end, cause) }
    }

    /// Whether an answer has been asked for and none has begun.
    pub(in crate::engine) fn unanswered_since(&self) -> Option<Moment> {
        match self.stage {
            Stage::Exchanging { since, first_byte: None, .. } => Some(since),
            Stage::Exchanging { .. }
            | Stage::Resolving { .. }
            | Stage::Connecting { .. }
            | Stage::Securing { .. }
            | Stage::Ended => None,
        }
    }

    /// The link its exchange is on.
    pub(in crate::engine) fn link(&self) -> Option<Link> {
        match self.stage {
            Stage::Exchanging { link, .. } => Some(link),
            Stage::Resolving { .. } | Stage::Connecting { .. } | Stage::Securing { .. } | Stage::Ended => {
                None
            }
        }
    }

    /// Whether a request is out.
    pub(in crate::engine) fn is_exchanging(&self) -> bool {
        matches!(self.stage, Stage::Exchanging { .. })
    }

    /// Whether an answer has begun.
    pub(in crate::engine) fn is_answering(&self) -> bool {
        matches!(self.stage, Stage::Exchanging { first_byte: Some(_), .. })
    }

    /// Until when its last sign of life is fresh.
    pub(in crate::engine) fn fresh_until(&self, tuning: &Tuning) -> Option<Moment> {
        let twice = self.connect_time.unwrap_or_default() * 2;
        self.progress.map(|at| at + tuning.patience.max(twice))
    }

    // --- handle ---

    /// Takes an input that [is about](Self::is_about) this attempt.
    pub(in crate::engine) fn handle<'a>(&mut self, cx: &mut Context<'_>, input: Input<'a>) -> Step<'a> {
        match (input, self.stage.clone()) {
            (Input::Resolved { answer, .. }, Stage::Resolving { .. }) => self.resolved(cx, answer),
            (Input::LookUp { turn, .. }, Stage::Resolving { query, .. }) => {
                let since = (turn == Turn::Begins).then_some(cx.now);
                self.stage = Stage::Resolving { query, since };
                Step::Nothing
            }
            (Input::Connected { link, via }, Stage::Connecting { since, .. }) => {
                self.connect_time = Some(cx.now.since(since));
                self.connected = cx.now;
                let endpoints = &mut self.target.endpoints;
                let is_direct = endpoints.is_direct();
                let address = is_direct.then(|| via.peer.ip());
                endpoints.reached(address);
                let link = Link {
                    id: link,
                    address,
                    route: endpoints.route(),
                    is_detour: endpoints.is_detour(),
                    proof: Proof::Tcp,
                    // What is behind a proxy cannot be told.
                    medium: if is_direct { via.medium } else { Medium::Tunnel },
                    is_stale: false,
                    old_at: Link::grows_old_at(cx),
                    ends_at: NEVER,
                };
                self.progress = Some(cx.now);
                match self.target.server.protocol {
                    Protocol::Https => self.stage = Stage::Securing { link, since: cx.now },
                    Protocol::Http => self.exchange(cx, link),
                }
                Step::Progress
            }
            (Input::Secured { proof, valid_for, .. }, Stage::Securing { link, .. }) => {
                self.progress = Some(cx.now);
                let ends_at = valid_for.map_or(NEVER, |valid_for| cx.now + valid_for);
                self.exchange(cx, Link { proof, ends_at, ..link });
                Step::Progress
            }
            (Input::Lost { link, .. }, _) if self.is_spare(link) => {
                self.spare = None;
                Step::Nothing
            }
            (Input::Lost { failure, .. }, Stage::Connecting { .. }) => self.unreached(cx, failure),
            (Input::Lost { failure, .. }, _) => {
                if let Some(exchange) = self.stage.exchange() {
                    cx.queue.forget(exchange.0);
                }
                self.endpoint_failed(cx, failure, None)
            }
            (Input::FirstByte { .. }, Stage::Exchanging { link, exchange, since, .. }) => {
                self.progress = Some(cx.now);
                self.stage = Stage::Exchanging { link, exchange, since, first_byte: Some(cx.now) };
                Step::Progress
            }
            (Input::Done { outcome, .. }, Stage::Exchanging { link, exchange, since, first_byte }) => {
                let first_byte = first_byte.unwrap_or(cx.now).since(since);
                self.done(cx, outcome, link, exchange, since, first_byte)
            }
            (Input::Notice { news, .. }, Stage::Exchanging { .. }) => Step::Notice(news),
            _ => Step::Nothing,
        }
    }

    /// The network changed, or the machine slept. A connection that stands may go on by another way.
    pub(in crate::engine) fn network_changed(&mut self) {
        if let Stage::Securing { link, .. } | Stage::Exchanging { link, .. } = &mut self.stage {
            link.is_stale = true;
        }
    }

    // --- endings ---

    /// It took too long: gives it up and says what that is called, unless there is another route to take.
    pub(in crate::engine) fn expire(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        let (_, cause) = self.limit(&cx.tuning.attachment);
        if self.has_spare() {
            self.give_up_stage(cx, Ending::Failed);
            self.fall_back(cx, Some(cause.into()));
            return None;
        }
        if cause == Cause::NameTimeout
            && let Some(address) = self.target.last_good
        {
            self.forget_query(cx);
            self.dial(cx, &[address]);
            return None;
        }
        let on_the_way = matches!(self.stage, Stage::Resolving { .. } | Stage::Connecting { .. });
        self.give_up(cx, Ending::Failed);
        if cause == Cause::AttemptTimeout {
            self.target.endpoints.cut_short(cause.into());
            return self.target.endpoints.verdict();
        }
        // A proxy that does not answer is not a server that does not answer.
        let unreached = if self.target.endpoints.is_direct() { cause } else { Cause::ProxyUnreachable };
        let step = match on_the_way {
            true => self.unreached(cx, unreached.into()),
            false => self.endpoint_failed(cx, cause.into(), None),
        };
        match step {
            Step::Failed { failure, .. } => Some(failure),
            Step::Nothing | Step::Progress | Step::Answered(_) | Step::Declined { .. } | Step::Notice(_) => {
                None
            }
        }
    }

    /// A floor of its server was heard. What has asked hears its answer, and asks nowhere else; whether it has not asked, and
    /// is to stop.
    pub(in crate::engine) fn heed_floor(&mut self) -> bool {
        self.stays = true;
        !self.is_exchanging()
    }

    /// From now on another part hears of it.
    pub(in crate::engine) fn hand_over(&mut self, cx: &mut Context<'_>, to: Owner) {
        self.owner = to;
        let query = self.stage.query().map(|query| query.0);
        let link = self.stage.link().map(|link| link.0);
        let exchange = self.stage.exchange().map(|exchange| exchange.0);
        let spare = self.spare.as_ref().map(|spare| spare.id.0);
        for id in [query, link, exchange, spare].into_iter().flatten() {
            cx.queue.hand_over(id, to);
        }
    }

    /// Drops whatever is under way. Nothing will be heard of it any more.
    pub(in crate::engine) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        self.give_up_stage(cx, reason);
        self.close_spare(cx, reason);
    }

    /// Whether it may still dial under a policy of these settings, or makes a handshake under one.
    pub(in crate::engine) fn refers_to(&self, settings: SettingsId) -> bool {
        let is_shaking_hands = matches!(self.stage, Stage::Connecting { .. } | Stage::Securing { .. });
        self.target.policy.settings == settings || is_shaking_hands && self.dialled_under == settings
    }

    // --- helpers ---

    fn give_up_stage(&mut self, cx: &mut Context<'_>, reason: Ending) {
        self.forget_query(cx);
        if let Some(exchange) = self.stage.exchange() {
            cx.queue.abandon(exchange, reason);
        }
        if let Some(link) = self.stage.link() {
            cx.queue.close(link, reason);
        }
        self.stage = Stage::Ended;
    }

    fn forget_query(&mut self, cx: &mut Context<'_>) {
        if let Some(query) = self.stage.query() {
            cx.queue.forget(query.0);
        }
    }

    /// Whether the request is made once more after such an answer.
    fn repeats(&self, cause: Cause) -> bool {
        is_about_the_request(cause) && !self.repeated && !self.stays
    }

    fn exchange(&mut self, cx: &mut Context<'_>, link: Link) {
        let exchange = cx.queue.next_exchange(self.owner);
        self.stage = Stage::Exchanging { link, exchange, since: cx.now, first_byte: None };
        let (deadline, _) = self.limit(&cx.tuning.attachment);
        let next = self.request.says_next().then(|| cx.interval());
        cx.act(Action::Exchange { exchange, link: link.id, request: self.request.clone(), deadline, next });
    }

    fn done<'a>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Outcome<'a>,
        link: Link,
        exchange: ExchangeId,
        since: Moment,
        first_byte: Duration,
    ) -> Step<'a> {
        self.stage = Stage::Ended;
        let Outcome {
            verdict,
            drain,
            events,
            register,
            duplicate,
            group,
            account_mode,
            acknowledged,
            unacknowledged,
        } = outcome;
        match verdict {
            Verdict::Success { status, settings, policy } => {
                self.close_spare(cx, Ending::Replaced);
                let elapsed = cx.now.since(since);
                let others = if self.reused { None } else { self.target.endpoints.other_addresses() };
                Step::Answered(Answer {
                    exchange,
                    link,
                    others,
                    status,
                    elapsed,
                    first_byte,
                    settings,
                    policy,
                    drain,
                    events,
                    register,
                    duplicate,
                    group,
                    account_mode,
                    acknowledged,
                    unacknowledged,
                })
            }
            Verdict::Declined { status } => {
                self.close_spare(cx, Ending::Failed);
                cx.queue.close(link.id, Ending::Failed);
                Step::Declined { status, drain }
            }
            Verdict::Failed(failure) if self.repeats(failure.cause) => {
                cx.queue.close(link.id, Ending::Failed);
                (self.repeated, self.reused) = (true, false);
                self.take_route(cx);
                Step::Nothing
            }
            Verdict::Failed(mut failure) => {
                cx.queue.close(link.id, Ending::Failed);
                failure.evidence = shows_portal(&failure, link.proof).then_some(Evidence::Portal);
                self.endpoint_failed(cx, failure, drain)
            }
        }
    }
}

const NEVER: Moment = Moment::from_nanos(u64::MAX);
