//! What is known of one server, and what its failures cost it.
//!
//! A server begins `Unknown`, is `Up` after a good exchange, and pays for failures by the class of
//! each: some put it `Down` at once, some only after three, some leave it out for as long as it
//! asked. Every state that leaves a server out ends by itself, and the server is then on
//! `Probation`: it may be used, and its earlier failures still count until service has lasted.

use std::net::IpAddr;
use std::time::Duration;

use super::Tuning;
use super::backoff::{Misses, delay};
use crate::engine::NetworkChange;
use crate::engine::rng::Rng;
use crate::types::{Cause, Failure, FailureClass, Moment, ServerId};

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing is known.
    Unknown,
    /// The last exchange was good.
    Up,
    /// This many thirds of a failure since the first of them.
    Suspect { thirds: u8, first: Moment },
    /// Failed; left out until then, and behind all others after that.
    Down { until: Moment },
    /// It was left out and may be used again, or answered but has not proved itself yet.
    Probation,
    /// It is not what it should be, or rejected this agent.
    Quarantined { until: Moment, class: FailureClass, policy: u16 },
    /// It asked to be left.
    Draining { until: Moment },
}

/// The server asked for patience. This stands beside its health: nothing that happens meanwhile shortens it
/// but a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Throttle {
    pub(super) until: Moment,
    /// 429 counts as available, only not now.
    pub(super) status: u16,
}

/// How a plan may use a server. Ordered best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// In its place.
    Good,
    /// Behind the good ones.
    Late,
    /// Only if nothing else is left.
    LastResort,
    /// Never before its time.
    Never,
}

/// One server, across all lists of the settings.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: ServerId,
    pub(super) health: Health,
    /// Since when it is so.
    pub(super) since: Moment,
    pub(super) throttle: Option<Throttle>,
    /// Failures in a row; sets how long `Down` lasts.
    pub(super) misses: Misses,
    /// How long connections to it take on this network, smoothed, in microseconds; 0 is unknown.
    connect_micros: u32,
    /// How often it was quarantined in a row.
    rung: u8,
    /// The route by which it was last reached on this network, counted from 1; 0 is unknown.
    route: u8,
    /// When an attempt on it was last begun.
    pub(super) last_start: Option<Moment>,
    /// When good service began, without a failure since.
    service_since: Option<Moment>,
    /// When it last went beyond a limit.
    last_limit: Option<Moment>,
    /// The last failure and when; boxed, because most servers have none.
    pub(super) last_failure: Option<Box<(Failure, Moment)>>,
    /// Where its name led when it last worked; boxed, because most servers are never dialled.
    last_good: Option<Box<LastGood>>,
}

/// An address that worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastGood {
    pub(super) address: IpAddr,
    /// When this engine knew it to be `age` old.
    pub(super) at: Moment,
    /// The clock may be younger than the address.
    pub(super) age: Duration,
    /// On this network another address of the name was reached before it, and failed.
    pub(super) preferred: bool,
}

impl LastGood {
    pub(super) fn age(&self, now: Moment) -> Duration {
        now.since(self.at).saturating_add(self.age)
    }
}

impl Record {
    pub(super) fn new(id: ServerId, now: Moment) -> Self {
        Self {
            id,
            health: Health::Unknown,
            since: now,
            throttle: None,
            misses: Misses::default(),
            connect_micros: 0,
            rung: 0,
            route: 0,
            last_start: None,
            service_since: None,
            last_limit: None,
            last_failure: None,
            last_good: None,
        }
    }

    /// How long connections to it take on this network.
    pub(super) fn connect_time(&self) -> Option<Duration> {
        (self.connect_micros > 0).then(|| Duration::from_micros(self.connect_micros.into()))
    }

    /// A connection stood after this long.
    pub(super) fn connected_in(&mut self, time: Duration) {
        let time = self.connect_time().map_or(time, |smoothed| smooth(smoothed, time));
        self.connect_micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1);
    }

    /// Another network: what was slow, and what a server or something in between showed, has to be learned anew.
    pub(super) fn forget_network(&mut self, now: Moment, change: NetworkChange) {
        (self.connect_micros, self.route) = (0, 0);
        if let Some(known) = &mut self.last_good {
            known.preferred = false;
        }
        if change == NetworkChange::Changed {
            self.last_limit = None;
            self.pardon(now, |class, _| class != FailureClass::NotAllowed);
        }
    }

    /// Whether it rejected this agent and is left out for that.
    pub(super) fn is_refusing(&self, now: Moment) -> bool {
        matches!(self.health, Health::Quarantined { until, class: FailureClass::NotAllowed, .. } if now < until)
    }

    /// Where its name led, unless that is too long ago to be believed.
    pub(super) fn last_good(&self, now: Moment, tuning: &Tuning) -> Option<IpAddr> {
        let known = self.last_good.as_ref()?;
        (known.age(now) <= tuning.last_good_age).then_some(known.address)
    }

    pub(super) fn last_good_known(&self) -> Option<LastGood> {
        self.last_good.as_deref().copied()
    }

    pub(super) fn restore_address(&mut self, known: LastGood) {
        self.last_good = Some(Box::new(known));
    }

    /// Whether that address is tried before others of its name.
    pub(super) fn prefers_last_good(&self) -> bool {
        self.last_good.as_ref().is_some_and(|known| known.preferred)
    }

    /// The route by which it was last reached on this network.
    pub(super) fn good_route(&self) -> Option<u8> {
        self.route.checked_sub(1)
    }

    /// The program has other routes now.
    pub(super) fn forget_route(&mut self) {
        self.route = 0;
    }

    pub(super) fn remember_route(&mut self, route: u8) {
        self.route = route.saturating_add(1);
    }

    /// `detour`: another one of the name was reached before it, and failed.
    pub(super) fn remember_address(&mut self, now: Moment, address: Option<IpAddr>, detour: bool) {
        let Some(address) = address else {
            return;
        };
        let before = self.last_good.as_ref().is_some_and(|known| known.preferred && known.address == address);
        let good = LastGood { address, at: now, age: Duration::ZERO, preferred: detour || before };
        match &mut self.last_good {
            Some(known) => **known = good,
            None => self.last_good = Some(Box::new(good)),
        }
    }

    /// How a plan under this certificate policy may use it.
    pub(super) fn standing(&self, now: Moment, policy: u16) -> Standing {
        if self.throttle.is_some_and(|throttle| now < throttle.until) {
            return Standing::Never;
        }
        let left_out =
            |until: Moment, meanwhile: Standing, after: Standing| if now < until { meanwhile } else { after };
        match self.health {
            Health::Unknown | Health::Up | Health::Probation | Health::Suspect { .. } => Standing::Good,
            Health::Down { until } => left_out(until, Standing::LastResort, Standing::Late),
            Health::Draining { until } => left_out(until, Standing::LastResort, Standing::Good),
            Health::Quarantined { class: FailureClass::Certificate, policy: under, .. }
                if under != policy =>
            {
                Standing::Good
            }
            Health::Quarantined { until, .. } => left_out(until, Standing::Never, Standing::Good),
        }
    }

    /// Until when a rule keeps everybody away from it. A probe obeys this too.
    pub(super) fn floor(&self) -> Option<Moment> {
        let health = match self.health {
            Health::Unknown | Health::Up | Health::Probation | Health::Suspect { .. } => None,
            Health::Down { until } | Health::Draining { until } | Health::Quarantined { until, .. } => {
                Some(until)
            }
        };
        health.max(self.throttled_until())
    }

    /// Until when it asked for patience.
    pub(super) fn throttled_until(&self) -> Option<Moment> {
        self.throttle.map(|throttle| throttle.until)
    }

    pub(super) fn is_draining(&self) -> bool {
        matches!(self.health, Health::Draining { .. })
    }

    /// Behind the same address another server has answered, which does not drain.
    pub(super) fn end_drain(&mut self, now: Moment) {
        if self.is_draining() {
            self.become_health(Health::Probation, now);
        }
    }

    /// Whether it asked for patience with a 429: then it is available, only not now.
    pub(super) fn is_available_later(&self, now: Moment) -> bool {
        self.throttle.is_some_and(|throttle| throttle.status == 429 && now < throttle.until)
    }

    /// Whether it may not be spoken to because it asked for patience.
    pub(super) fn is_throttled(&self, now: Moment) -> bool {
        self.throttled_until().is_some_and(|until| now < until)
    }

    /// A floor heard under another life of this record: the later one holds.
    pub(super) fn keep_floor(&mut self, throttle: Throttle) {
        if self.throttled_until().is_none_or(|until| until < throttle.until) {
            self.throttle = Some(throttle);
        }
    }

    /// A good exchange. The misses are forgiven only as the service lasts.
    pub(super) fn succeed(&mut self, now: Moment, tuning: &Tuning) {
        let since = *self.service_since.get_or_insert_with(|| {
            self.misses.begin_service();
            now
        });
        let service = now.since(since);
        self.misses.forgive(service, tuning);
        if service >= tuning.forgive_all {
            self.rung = 0;
            self.last_limit = None;
        }
        // An answer to what was asked before the floor was heard does not lift it.
        self.throttle = self.throttle.filter(|throttle| now < throttle.until);
        if matches!(self.health, Health::Draining { until } if now < until) {
            // It serves, and still wants to be left.
            return;
        }
        let proven = self.misses.count() == 0 && self.rung == 0;
        self.become_health(if proven { Health::Up } else { Health::Probation }, now);
    }

    /// A failure, charged by its class.
    pub(super) fn charge(
        &mut self,
        now: Moment,
        failure: &Failure,
        policy: u16,
        tuning: &Tuning,
        rng: &mut Rng,
    ) {
        self.note(now, failure);
        match cost(failure) {
            Cost::Nothing => {}
            Cost::Third => self.third(now, tuning, rng),
            Cost::Limit => match self.last_limit.replace(now) {
                Some(last) if now.since(last) < tuning.limit_window => {
                    self.quarantine(now, failure.class(), policy, tuning, rng);
                }
                Some(_) | None => self.third(now, tuning, rng),
            },
            Cost::Down => self.go_down(now, tuning, rng),
            Cost::Quarantine => self.quarantine(now, failure.class(), policy, tuning, rng),
            Cost::LeftOut => {
                self.service_since = None;
                let until = now + tuning.not_allowed;
                self.become_health(Health::Quarantined { until, class: failure.class(), policy }, now);
            }
            Cost::Throttle { status, asked } => {
                let floor = floor(asked, tuning);
                let until = now + floor + rng.up_to((floor / 4).max(tuning.throttle_spread));
                self.keep_floor(Throttle { until, status });
            }
        }
    }

    /// A failure is written down without a charge.
    pub(super) fn note(&mut self, now: Moment, failure: &Failure) {
        self.last_failure = Some(Box::new((failure.clone(), now)));
    }

    fn go_down(&mut self, now: Moment, tuning: &Tuning, rng: &mut Rng) {
        self.service_since = None;
        self.misses.add();
        let until = now + delay(self.misses.count(), tuning.down_ceiling, tuning, rng);
        self.become_health(Health::Down { until }, now);
    }

    /// It asked to be left.
    pub(super) fn drain(&mut self, now: Moment, window: Duration, tuning: &Tuning) {
        let until = now + window.max(tuning.drain_most).min(tuning.throttle_most);
        self.become_health(Health::Draining { until }, now);
    }

    /// What a reason that has gone no longer justifies.
    pub(super) fn pardon(&mut self, now: Moment, ended: impl Fn(FailureClass, u16) -> bool) {
        if let Health::Quarantined { class, policy, .. } = self.health
            && ended(class, policy)
        {
            self.rung = 0;
            self.become_health(Health::Probation, now);
        }
    }

    /// The policies were numbered anew; a quarantine that goes on is under the new number.
    pub(super) fn translate_policy(&mut self, now_called: Option<u16>) {
        if let (Health::Quarantined { policy, .. }, Some(name)) = (&mut self.health, now_called) {
            *policy = name;
        }
    }

    pub(super) fn restore(&mut self, health: Health, throttle: Option<Throttle>, misses: Misses) {
        self.health = health;
        self.throttle = throttle;
        self.misses = misses;
    }

    fn third(&mut self, now: Moment, tuning: &Tuning, rng: &mut Rng) {
        let (thirds, first) = match self.health {
            Health::Suspect { thirds, first } if now.since(first) < tuning.thirds_window => {
                (thirds + 1, first)
            }
            // It was down and has not recovered: a milder failure must not make it look better.
            Health::Down { .. } => return self.go_down(now, tuning, rng),
            Health::Unknown
            | Health::Up
            | Health::Suspect { .. }
            | Health::Probation
            | Health::Quarantined { .. }
            | Health::Draining { .. } => (1, now),
        };
        if thirds >= 3 {
            self.go_down(now, tuning, rng);
        } else {
            self.service_since = None;
            self.become_health(Health::Suspect { thirds, first }, now);
        }
    }

    fn quarantine(&mut self, now: Moment, class: FailureClass, policy: u16, tuning: &Tuning, rng: &mut Rng) {
        self.service_since = None;
        let lengths = [
            tuning.quarantine_first,
            tuning.quarantine_second,
            tuning.quarantine_third,
            tuning.quarantine_last,
        ];
        let length = lengths.get(usize::from(self.rung)).copied().unwrap_or(tuning.quarantine_last);
        self.rung = (self.rung + 1).min(lengths.len() as u8);
        // Spread like every other wait, so that a fleet that met one bad certificate does not return as one.
        let until = now + rng.around(length, 90, 98);
        self.become_health(Health::Quarantined { until, class, policy }, now);
    }

    fn become_health(&mut self, health: Health, now: Moment) {
        if std::mem::discriminant(&self.health) != std::mem::discriminant(&health) {
            self.since = now;
        }
        self.health = health;
    }
}

/// For how long a server that asks for patience is left alone at least.
pub(super) fn floor(asked: Option<Duration>, tuning: &Tuning) -> Duration {
    asked.unwrap_or(tuning.throttle_default).max(tuning.throttle_least).min(tuning.throttle_most)
}

/// The weight of TCP's own smoothed round-trip time (RFC 6298).
pub(super) fn smooth(smoothed: Duration, time: Duration) -> Duration {
    (smoothed * 7 + time) / 8
}

/// What a failure costs the server.
enum Cost {
    Nothing,
    Third,
    /// A third; twice within ten minutes, a quarantine.
    Limit,
    Down,
    Quarantine,
    LeftOut,
    Throttle {
        status: u16,
        asked: Option<Duration>,
    },
}

/// The table of costs. The engine's network part has had its say before: what is charged here is the server's.
fn cost(failure: &Failure) -> Cost {
    match failure.class() {
        FailureClass::Refused | FailureClass::Name => Cost::Down,
        FailureClass::NoAnswer if failure.cause == Cause::Evicted => Cost::Third,
        FailureClass::NoAnswer => Cost::Down,
        FailureClass::Silent => Cost::Down,
        FailureClass::Certificate | FailureClass::WrongServer => Cost::Quarantine,
        // Of a request that was too large it is charged only when it says so of one without a body too.
        FailureClass::ServerError
        | FailureClass::Broken
        | FailureClass::TooLarge
        | FailureClass::Misunderstood => Cost::Third,
        FailureClass::Limit => Cost::Limit,
        FailureClass::NotAllowed => Cost::LeftOut,
        FailureClass::Throttled => {
            let Cause::Throttled { status, retry_after } = failure.cause else {
                return Cost::Nothing;
            };
            Cost::Throttle { status, asked: retry_after }
        }
        FailureClass::LocalNetwork
        | FailureClass::Proxy
        | FailureClass::Draining
        | FailureClass::ClosedIdle => Cost::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        record: Record,
        rng: Rng,
        tuning: Tuning,
    }

    impl Bench {
        fn new() -> Self {
            let record = Record::new(ServerId::new("a"), Moment::ORIGIN);
            Self { record, rng: Rng::new(1), tuning: Tuning::default() }
        }

        fn charge(&mut self, seconds: u64, cause: Cause) -> Health {
            let now = at(seconds);
            self.record.charge(now, &cause.into(), 0, &self.tuning, &mut self.rng);
            self.record.health
        }

        fn left_out(&self, seconds: u64) -> Duration {
            self.record.floor().unwrap().since(at(seconds))
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::ORIGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn a_refusal_is_down_at_once_and_each_costs_more() {
        let mut bench = Bench::new();
        assert!(matches!(bench.charge(0, Cause::ConnectionRefused), Health::Down { .. }));
        assert!(bench.left_out(0) <= Duration::from_secs(3));
        for time in 1..10 {
            bench.charge(time * 200, Cause::ConnectionRefused);
        }
        assert!(bench.left_out(1800) >= Duration::from_secs(108), "the ceiling is 120 s × U(0.9, 1.1)");
    }

    #[test]
    fn three_server_errors_within_five_minutes_are_down() {
        let mut bench = Bench::new();
        let error = Cause::ServerError { status: 500 };
        assert!(matches!(bench.charge(0, error), Health::Suspect { thirds: 1, .. }));
        assert!(matches!(bench.charge(100, error), Health::Suspect { thirds: 2, .. }));
        assert!(matches!(bench.charge(200, error), Health::Down { .. }));

        let mut bench = Bench::new();
        bench.charge(0, error);
        bench.charge(100, error);
        assert!(
            matches!(bench.charge(400, error), Health::Suspect { thirds: 1, .. }),
            "the first is too old"
        );
    }

    #[test]
    fn a_good_exchange_clears_suspicion_at_once_but_a_miss_only_with_service() {
        let mut bench = Bench::new();
        bench.charge(0, Cause::Reset);
        bench.record.succeed(at(1), &bench.tuning);
        assert_eq!(bench.record.health, Health::Up);

        bench.charge(2, Cause::ConnectionRefused);
        for (time, expected) in [(10, Health::Probation), (200, Health::Probation), (310, Health::Up)] {
            bench.record.succeed(at(time), &bench.tuning);
            assert_eq!(bench.record.health, expected, "at {time} s");
        }
    }

    #[test]
    fn a_wrong_certificate_is_quarantined_ever_longer_and_only_under_its_policy() {
        let mut bench = Bench::new();
        let mut lengths = Vec::new();
        for time in 0..5 {
            bench.charge(time * 3600, Cause::UnknownIssuer);
            lengths.push(bench.left_out(time * 3600).as_secs_f64());
        }
        for (length, rung) in lengths.iter().zip([30.0, 60.0, 120.0, 300.0, 300.0]) {
            assert!((rung * 0.9..rung).contains(length), "{lengths:?}");
        }
        assert_eq!(bench.record.standing(at(14_401), 0), Standing::Never);
        assert_eq!(bench.record.standing(at(14_401), 1), Standing::Good);
    }

    #[test]
    fn beyond_a_limit_twice_in_ten_minutes_is_a_quarantine() {
        let mut bench = Bench::new();
        assert!(matches!(bench.charge(0, Cause::BodyTooLarge), Health::Suspect { thirds: 1, .. }));
        assert!(matches!(bench.charge(599, Cause::Dripping), Health::Quarantined { .. }));
    }

    #[test]
    fn retry_after_is_a_floor_and_garbage_is_absent() {
        let seconds = Duration::from_secs;
        let throttled = |asked| Cause::Throttled { status: 429, retry_after: asked };
        for (asked, least, most) in [
            (Some(seconds(0)), 1, 6),                   // clamped to 1 s, + U(0, 5 s)
            (Some(seconds(600)), 600, 750),             // + U(0, 150 s)
            (None, 30, 38),                             // 30 s, + U(0, 7.5 s)
            (Some(seconds(1_000_000_000)), 3600, 4500), // clamped to 1 h
        ] {
            let mut bench = Bench::new();
            bench.charge(0, throttled(asked));
            let left_out = bench.left_out(0);
            assert!(left_out >= seconds(least) && left_out <= seconds(most), "{asked:?}: {left_out:?}");
            assert_eq!(bench.record.standing(at(0), 0), Standing::Never);
            assert_eq!(bench.record.standing(at(5000), 0), Standing::Good);
        }
    }

    #[test]
    fn a_record_stays_small() {
        // An engine holds one for every server; a fleet in a simulator holds a million.
        assert!(size_of::<Record>() <= 160 - 16, "{}", size_of::<Record>());
    }
}
