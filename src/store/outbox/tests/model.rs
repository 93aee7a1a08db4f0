//! Random submits, settlements, crashes and openings, beside a list in memory.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Submit {
        kind: usize,
        length: usize,
        durable: bool,
    },
    /// Settles this part of the next batch, in sixteenths.
    Settle {
        lane: usize,
        at_most: usize,
        part: u64,
    },
    Flush,
    Pass(u64),
    /// The outbox is dropped, and another one opened.
    Reopen,
    /// The process is killed after all was written, and the folder opened by another.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6_usize, 0..1200_usize, any::<bool>())
            .prop_map(|(kind, length, durable)| Step::Submit { kind, length, durable }),
        3 => (0..3_usize, 0..5000_usize, 0..=16_u64)
            .prop_map(|(lane, at_most, part)| Step::Settle { lane, at_most, part }),
        1 => Just(Step::Flush),
        1 => (0..60_u64).prop_map(Step::Pass),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
    ]
}

/// A report in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    id: ReportId,
    body: Vec<u8>,
    at: u64,
}

#[derive(Default)]
struct Model {
    lanes: [Vec<Entry>; 4],
    /// Dropped for bytes and for age.
    full: [u64; 4],
    aged: [u64; 4],
    sent: [u64; 4],
}

const BYTES: u64 = 8 << 10;
const AGE: u64 = 1000;

impl Model {
    fn bytes(&self, lane: usize) -> u64 {
        self.lanes[lane].iter().map(|entry| 32 + entry.body.len() as u64).sum()
    }

    fn age(&mut self, lane: usize, now: u64) {
        while self.lanes[lane].first().is_some_and(|entry| now - entry.at > AGE) {
            self.lanes[lane].remove(0);
            self.aged[lane] += 1;
        }
    }

    /// Whether there is room, after the oldest were dropped.
    fn make_room(&mut self, lane: Lane, length: u64) -> bool {
        let index = lane as usize;
        while self.bytes(index) + 32 + length > BYTES {
            if lane == Lane::Critical {
                return false;
            }
            self.lanes[index].remove(0);
            self.full[index] += 1;
        }
        true
    }

    fn restart(&mut self) {
        (self.full, self.aged, self.sent) = Default::default();
    }
}

/// What waits, seen through a copy of the folder.
fn waiting(path: &Path, limits: &Limits, watch: &Watch) -> [Vec<(ReportId, Vec<u8>)>; 4] {
    let above = scratch();
    for name in names(path) {
        std::fs::copy(path.join(&name), above.path().join(&name)).unwrap();
    }
    let copy = open_with(above.path(), limits, watch, Arc::new(|| Box::new(Real)));
    assert_eq!(events(&copy).iter().filter(|event| matches!(event, OutboxEvent::SetAside { .. })).count(), 0);
    Lane::ALL.map(|lane| drain(&copy, lane))
}

fn run(steps: Vec<Step>) {
    let above = scratch();
    let mut path = above.path().join("0");
    let limits = small(BYTES, AGE);
    let watch = Watch::new();
    let now = || watch.boot.load(Ordering::Relaxed);
    let mut outbox = open_with(&path, &limits, &watch, Arc::new(|| Box::new(Real)));
    let mut model = Model::default();
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Submit { kind, length, durable } => {
                let kind = ReportKind::ALL[kind];
                let lane = kind.lane();
                let body = vec![index as u8; length];
                let durability = if durable { Durability::Durable } else { Durability::Buffered };
                let result = outbox.submit(report(kind, body.clone()), durability);
                model.age(lane as usize, now());
                match model.make_room(lane, length as u64) {
                    true => model.lanes[lane as usize].push(Entry { id: result.unwrap(), body, at: now() }),
                    false => assert_eq!(result, Err(SubmitError::Full { lane })),
                }
            }
            Step::Settle { lane, at_most, part } => {
                let index = lane;
                let lane = Lane::ALL[index];
                model.age(index, now());
                let batch = outbox.take(lane, at_most);
                let list = &mut model.lanes[index];
                assert_eq!(batch.is_none(), list.is_empty());
                let Some(batch) = batch else { continue };
                for (report, entry) in batch.reports().zip(&*list) {
                    assert_eq!((report.id, report.body), (entry.id, &*entry.body));
                }
                let up_to = batch.first() + (batch.last() - batch.first()) * part / 16;
                let settled = outbox.settle(&batch, up_to);
                assert_eq!(settled, up_to - batch.first() + 1);
                list.drain(..settled as usize);
                model.sent[index] += settled;
            }
            Step::Flush => outbox.flush().unwrap(),
            // Not so long that what an earlier process left gets too old, of which the model knows nothing.
            Step::Pass(seconds) => watch.pass(seconds),
            Step::Reopen => {
                drop(outbox);
                outbox = open_with(&path, &limits, &watch, Arc::new(|| Box::new(Real)));
                model.restart();
            }
            Step::Kill => {
                outbox.flush().unwrap();
                let next = above.path().join((index + 1).to_string());
                std::fs::create_dir(&next).unwrap();
                for name in names(&path) {
                    std::fs::copy(path.join(&name), next.join(&name)).unwrap();
                }
                outbox = open_with(&next, &limits, &watch, Arc::new(|| Box::new(Real)));
                path = next;
                model.restart();
            }
        }
        for lane in Lane::ALL {
            let account = outbox.account(lane);
            let index = lane as usize;
            assert_eq!(account.waiting, model.lanes[index].len() as u64, "{lane}");
            assert_eq!(account.waiting_bytes, model.bytes(index), "{lane}");
            assert_eq!(
                (account.sent, account.dropped.full),
                (model.sent[index], model.full[index]),
                "{lane}"
            );
            assert_eq!(account.dropped.aged, model.aged[index], "{lane}");
        }
        assert_exact(&outbox);
    }
    outbox.flush().unwrap();
    let seen = waiting(&path, &limits, &watch);
    for (list, seen) in model.lanes.iter().zip(seen) {
        assert!(list.iter().map(|entry| (entry.id, entry.body.clone())).eq(seen));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("HOMING_OUTBOX_RUNS").map_or(200, |runs| runs.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_outbox_is_a_list_that_survives(steps in vec(step(), 1..80)) {
        run(steps);
    }
}
