//! The race against its reference model, the patient walk.
//!
//! A patient agent tries the servers in plan order, one after another, and gives each 1.5 seconds; a
//! definite failure sends it on at once. Whenever every live server completes its exchange within 1.5 s
//! of its start, the race must end in the priority where the patient walk would have ended, and on
//! the same server when no two live servers share a priority.

use std::time::Duration;

use homing::engine::Event;
use proptest::prelude::*;

use crate::world::*;

/// A live server answers in less than this.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Where the patient walk ends: the first live server in plan order.
fn patient_walk(ranked: &[(usize, String)], alive: impl Fn(&str) -> bool) -> Option<(usize, String)> {
    ranked.iter().find(|(_, server)| alive(server)).cloned()
}

fn any_server() -> impl Strategy<Value = (Server, bool)> {
    let live = (1u64..300, 0u64..590)
        .prop_map(|(round_trip, think)| Server { think: ms(think), ..far(ms(round_trip)) })
        .prop_filter("completes in time", |server| {
            let Reach::Connects(round_trip) = server.reach else { return false };
            round_trip * 3 + server.think < PATIENCE
        });
    let quick = (1u64..20).prop_map(|round_trip| far(ms(round_trip)));
    prop_oneof![
        2 => live.prop_map(|server| (server, true)),
        1 => quick.prop_map(|server| (server, true)),
        2 => Just((black_hole(), false)),
        1 => (0u64..200).prop_map(|after| (Server { reach: Reach::Refuses(ms(after)), ..up() }, false)),
        1 => Just((mute(), false)),
        1 => Just((silent(), false)),
        1 => (0u64..500).prop_map(|think| (Server { think: ms(think), ..status(500) }, false)),
        1 => Just((status(404), false)),
        1 => Just((Server { answer: Answer::Breaks, ..up() }, false)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_race_ends_where_the_patient_walk_would(
        shape in prop::collection::vec(0usize..=4, 1..=4).prop_filter("a server", |shape| shape.iter().any(|&n| n > 0)),
        servers in prop::collection::vec(any_server(), 16),
        seed in any::<u64>(),
    ) {
        let count: usize = shape.iter().sum();
        let mut world = priorities(&shape).seed(seed).agent(&format!("agent-{seed}")).start();
        for (index, (server, _)) in servers.iter().take(count).enumerate() {
            world.set(&name(index), *server);
        }
        let alive = |server: &str| (0..count).any(|index| name(index) == server && servers[index].1);
        let ranked: Vec<_> =
            world.snapshot().servers.iter().map(|s| (s.priority, s.server.to_string())).collect();

        let expected = patient_walk(&ranked, alive);
        world.run(s(25));
        let first = world.told.iter().find_map(|(_, event)| match event {
            Event::Attached { server, priority, .. } => Some((priority.unwrap(), server.to_string())),
            _ => None,
        });
        let gave_up = world.told.iter().position(|(_, event)| is_waiting(event));
        let attached = world.told.iter().position(|(_, event)| matches!(event, Event::Attached { .. }));
        prop_assert!(expected.is_none() || gave_up.is_none_or(|gave_up| attached.is_some_and(|a| a < gave_up)),
            "it gave up although a server lives:\n{}", world.story());

        match (expected, first) {
            (None, None) => {}
            (Some((priority, server)), Some((reached, on))) => {
                prop_assert_eq!(priority, reached, "{}", world.story());
                let sharing = ranked.iter().filter(|(p, s)| *p == priority && alive(s)).count();
                if sharing == 1 {
                    prop_assert_eq!(server, on);
                }
            }
            (expected, first) => prop_assert!(false, "{expected:?} {first:?}\n{}", world.story()),
        }
    }
}
