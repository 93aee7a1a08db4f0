//! Whatever a server, a name service or a driver puts into a text: what comes out can be shown to a person.

use std::fmt::Write as _;

use homing::engine::{Command, Event, Input};
use homing::types::{Cause, Failure, LinkId, News, ProbeId};
use homing_sim::reference_network::{Place, reference, references};

use crate::world::*;

/// Right to left, ends of lines, nothing at all, and what a terminal obeys.
const UNSEEN: &str =
    "a\u{202e}b\u{2028}c\u{2029}d\u{200b}e\u{7f}f\u{9b}g\u{feff}h\u{1b}[2Ji\u{2066}j\u{e0041}k\r\nl";

fn is_shown(text: &str) {
    let unseen = |character: &char| UNSEEN.contains(*character) && !character.is_ascii_graphic();
    // Pages have ends of lines of their own.
    let found: Vec<char> = text.chars().filter(|character| unseen(character) && *character != '\n').collect();
    assert!(found.is_empty(), "{found:?} in {text:?}");
}

/// Everything the engine says, in words and as JSON.
fn everything(world: &World) -> String {
    let mut page = String::new();
    for (_, event) in &world.told {
        writeln!(page, "{}", serde_json::to_string(event).unwrap()).unwrap();
        if let Event::Round { evidence, .. } = event {
            page += &evidence.explain();
        }
    }
    let snapshot = world.snapshot();
    page + &snapshot.explain() + &serde_json::to_string(&snapshot).unwrap()
}

#[test]
fn the_words_of_a_failure_are_escaped_wherever_they_stand() {
    for noted in [false, true] {
        let mut world = priorities(&[1, 1]).with("reference_servers", references(1, &[443], "tls")).start();
        world.places.at.insert((reference(0), 443).into(), Place::Drops);
        world.set_all(black_hole()).run(ms(100));
        // By the constructor, and as a driver may write it by itself.
        let mut failure = Failure::noted(Cause::NotHttp, UNSEEN);
        if !noted {
            failure.note = Some(UNSEEN.into());
        }
        // What is under way has some of these numbers; the others mean nothing.
        for number in 0..100 {
            world.input(Input::Lost { link: LinkId(number), failure: failure.clone() });
            world.input(Input::Probed { probe: ProbeId(number), answer: Err(failure.clone()) });
            world.drain();
        }
        world.run(s(30));
        let page = everything(&world);
        is_shown(&page);
        assert!(page.contains(r"a\\u{202e}b\\u{2028}c") && page.contains(r"k\r\nl"), "{page}");
        assert_eq!(world.rounds().first().unwrap().1.asked[0].server, "10.99.0.1");
        assert!(
            world.rounds().iter().any(|(_, evidence)| evidence.explain().contains(r"a\u{202e}b")),
            "{page}"
        );
    }
}

#[test]
fn what_a_stream_names_is_escaped_and_a_tag_that_cannot_be_shown_is_none() {
    let mut world = priorities(&[1]).push().with("reference_servers", references(1, &[443], "tls")).start();
    world.until(s(1), "the stream", |event| matches!(event, Event::PushOpened { .. }));
    let announced = |world: &World| {
        world.count(|event| matches!(event, Event::SettingsAnnounced { .. } | Event::PolicyAnnounced { .. }))
    };
    let before = announced(&world);
    world
        .tell_streams(News::Settings { tag: UNSEEN, within: s(0) })
        .tell_streams(News::Policy { tag: "\u{200b}", within: s(0) });
    assert_eq!(announced(&world), before);
    world.tell_streams(News::Content(UNSEEN)).command(Command::SetLocation(Some(UNSEEN.into()))).run(s(10));
    let page = everything(&world);
    is_shown(&page);
    assert!(page.contains(r"a\\u{202e}b"), "{page}");
}
