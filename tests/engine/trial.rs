//! Settings on trial: whatever they say, no agent is stranded by them, and good ones are not lost.

use std::time::Duration;

use homing::engine::{Away, Command, Event, Input, Memory, State};
use homing::types::{Cause, SettingsId};
use serde_json::json;

use crate::world::*;

const MINUTE: u64 = 60;

/// The longest a trial may last while the settings before answer, and the searches at its end.
const BUDGET: Duration = Duration::from_secs(16 * MINUTE);

/// One server that has worked; the agent is attached to it.
fn settled() -> World {
    let mut world = priorities(&[1]).digest("first").start();
    world.until_attached("a", s(5));
    world
}

fn list(names: &[&str]) -> Plan {
    let mut plan = priorities(&[1]);
    plan.priorities = vec![names.iter().map(|name| (*name).to_owned()).collect()];
    plan
}

fn is_rolled_back(event: &Event) -> bool {
    matches!(event, Event::SettingsRolledBack { .. })
}

fn is_in_force(event: &Event) -> bool {
    matches!(event, Event::SettingsInForce { .. })
}

fn is_on_trial(event: &Event) -> bool {
    matches!(event, Event::SettingsOnTrial { .. })
}

fn is_detached(event: &Event) -> bool {
    matches!(event, Event::Detached { .. })
}

/// What an administrator may get wrong: the settings, and how every server looks through them.
fn mistakes() -> Vec<(&'static str, Plan, Reach)> {
    let pin = json!({ "pins": [{ "sha256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }] });
    vec![
        ("a closed port", priorities(&[1]).port(8443), Reach::Refuses(ms(1))),
        ("a port that is filtered", priorities(&[1]).port(8443), Reach::Drops),
        ("a name", priorities(&[1]).named(), Reach::Drops),
        (
            "a certificate",
            priorities(&[1]).with("certificate", json!({ "roots": ["system"] })),
            Reach::BadHandshake(Cause::UnknownIssuer),
        ),
        ("pins", priorities(&[1]).with("certificate", pin), Reach::BadHandshake(Cause::PinMismatch)),
        ("a list", list(&["x", "y"]), Reach::Drops),
        ("another manager", list(&["x"]), Reach::Mute(ROUND_TRIP)),
    ]
}

#[test]
fn wrong_settings_are_rolled_back_and_the_agent_never_leaves_its_server() {
    for (what, plan, how) in mistakes() {
        let mut world = settled();
        world.try_wrong(plan, "wrong", how);
        assert_eq!(world.count(is_on_trial), 1, "{what}");
        world.until(BUDGET, what, is_rolled_back);
        assert_eq!((world.active(), world.count(is_detached)), (Some("a"), 0), "{what}\n{}", world.story());
        world.run(s(3600));
        assert_eq!(world.active(), Some("a"), "{what}");
        assert_eq!((world.count(is_in_force), world.count(is_on_trial)), (0, 1), "{what}");
        assert_eq!(world.prepared.kept(), 1, "{what}: what was prepared for them is dropped");
        let settings = world.snapshot().settings.unwrap();
        assert_eq!(settings.rejected.as_deref(), Some("\"wrong\""), "{what}");
        assert!(world.snapshot().explain().contains("were rolled back"), "{what}");
    }
}

/// The next life of an agent in the middle of a trial: it begins with what worked, and is given the candidate again.
fn next_life(memory: Memory, plan: Plan, how: Reach) -> World {
    let known = memory.settings.clone().expect("the memory of settings");
    assert_eq!(known.in_force.as_ref().unwrap().digest.as_ref(), "first");
    let mut world = priorities(&[1]).digest("first").remembering(memory, Away::For(s(30))).start();
    if let Some(candidate) = known.candidate {
        world.try_wrong(plan, &candidate.name.digest, how);
    }
    world
}

#[test]
fn an_agent_that_restarts_in_the_middle_is_back_within_the_budget_and_an_attach() {
    for (what, plan, how) in mistakes() {
        let mut world = settled();
        world.try_wrong(plan, "wrong", how);
        world.run(s(45));
        let memory = world.engine.memory().clone();
        let (_, plan, how) = mistakes().into_iter().find(|(name, ..)| *name == what).unwrap();
        let mut world = next_life(memory, plan, how);
        world.until_attached("a", s(120));
        world.until(BUDGET, what, is_rolled_back);
        world.run(s(600));
        assert_eq!(world.active(), Some("a"), "{what}\n{}", world.story());
    }
}

#[test]
fn an_attempt_that_is_under_way_when_a_trial_begins_does_not_keep_wrong_settings_for_ever() {
    for ((what, plan, how), (_, again, _)) in mistakes().into_iter().zip(mistakes()) {
        // The connection is kept, so that the agent stays where the attempt led.
        let first = || priorities(&[1]).digest("first").interval(s(30));
        let mut world = first().start();
        world.until_attached("a", s(5));
        world.try_wrong(plan.interval(s(30)), "wrong", how);
        world.run(s(45));
        let mut world = first().remembering(world.engine.memory().clone(), Away::For(s(30))).start();
        world.until(s(30), "a search", |event| matches!(event, Event::Searching { .. }));
        world.try_wrong(again.interval(s(30)), "wrong", how);
        world.until_attached("a", s(120));
        world.until(BUDGET, what, is_rolled_back);
        world.run(s(600));
        assert_eq!((world.active(), world.count(is_in_force)), (Some("a"), 0), "{what}\n{}", world.story());
    }
}

#[test]
fn lives_of_a_minute_spend_the_budget_all_the_same() {
    let mut world = settled();
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    world.run(s(60));
    for life in 1.. {
        if world.count(is_rolled_back) > 0 {
            break;
        }
        assert!(life < 20, "{}", world.story());
        let memory = world.engine.memory().clone();
        world = next_life(memory, list(&["x"]), Reach::Refuses(ms(1)));
        world.run(s(100));
    }
    assert_eq!(world.active(), Some("a"));
}

#[test]
fn good_settings_are_in_force_after_one_exchange_and_the_old_ones_go_when_that_is_stored() {
    let mut world = settled();
    world.try_out(list(&["b", "c"]), "good");
    world.until(s(90), "in force", is_in_force);
    assert!(matches!(world.active(), Some("b" | "c")));
    world.run(s(600));
    assert_eq!((world.count(is_rolled_back), world.prepared.kept()), (0, 1), "{}", world.story());
    let memory = world.engine.memory().settings.clone().unwrap();
    assert_eq!(memory.in_force.unwrap().digest.as_ref(), "good");
    assert_eq!(memory.candidate, None);
}

#[test]
fn settings_that_name_the_same_server_are_proved_by_its_next_heartbeat() {
    let mut world = settled();
    world.try_out(priorities(&[1]).interval(s(60)), "good");
    world.until(s(61), "in force", is_in_force);
    assert_eq!(world.count(is_detached), 0);
}

#[test]
fn settings_of_a_server_that_name_the_server_in_use_are_proved_by_a_heartbeat_at_once() {
    let mut world = settled();
    world.run(s(5));
    world.try_out(priorities(&[2]), "second");
    world.until(s(2), "in force", is_in_force);
    assert_eq!((world.active(), world.count(is_detached)), (Some("a"), 0), "{}", world.story());
}

#[test]
fn good_settings_that_come_in_an_outage_of_everything_are_never_rejected() {
    for first_back in ["a", "b"] {
        for believes_attached in [true, false] {
            let mut world = settled();
            if believes_attached {
                // The outage begins in the very moment, long before the next heartbeat.
                world.try_out(list(&["b"]), "good");
                world.set_all(down());
            } else {
                world.set_all(down());
                world.break_links("a");
                world.run(s(400));
                world.try_out(list(&["b"]), "good");
                world.set("b", down());
            }
            world.run(s(3600));
            world.set(first_back, up());
            world.run(s(20));
            world.set_all(up());
            world.run(s(600));
            assert_eq!(
                (world.active(), world.count(is_rolled_back), world.count(is_in_force)),
                (Some("b"), 0, 1),
                "{first_back} {believes_attached}\n{}",
                world.story()
            );
        }
    }
}

#[test]
fn good_settings_survive_a_sleep_of_nine_hours_and_a_dead_first_entry() {
    let mut plan = list(&["x", "b"]);
    plan.priorities = vec![vec!["x".to_owned()], vec!["b".to_owned()]];
    let mut world = settled();
    world.try_out(plan, "good");
    world.set("x", black_hole());
    world.suspend(s(9 * 3600));
    world.run(s(300));
    assert_eq!((world.active(), world.count(is_rolled_back)), (Some("b"), 0), "{}", world.story());
}

#[test]
fn time_asleep_and_jumps_of_the_wall_clock_spend_nothing() {
    let mut world = settled();
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    world.run(s(20));
    for _ in 0..3 {
        world.suspend(s(9 * 3600));
        world.input(Input::ClockStepped);
        world.run(s(5));
        let spent = world.snapshot().settings.unwrap().trial.expect("still on trial").spent;
        assert!(spent.0 < s(200), "{spent}");
    }
    world.until(BUDGET, "rolled back", is_rolled_back);
}

#[test]
fn without_a_network_nothing_is_spent() {
    let mut world = settled();
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    world.run(s(5)).cut_off(true).network(homing::engine::NetworkChange::Gone).break_links("a");
    world.run(s(3600));
    assert_eq!(world.count(is_rolled_back), 0, "{}", world.story());
    world.cut_off(false).network(homing::engine::NetworkChange::Returned);
    world.until_attached("a", s(60));
    world.until(BUDGET, "rolled back", is_rolled_back);
}

#[test]
fn of_two_documents_on_trial_the_later_replaces_the_earlier() {
    let mut world = settled();
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    world.run(s(30));
    world.try_out(list(&["b"]), "good");
    let told = world.told.iter().find_map(|(_, event)| match event {
        Event::SettingsRolledBack { tag, detail } => Some((tag.clone(), detail.clone())),
        _ => None,
    });
    let (tag, reason) = told.expect("the earlier one is given up");
    assert_eq!(tag.as_deref(), Some("\"wrong\""));
    assert!(reason.contains("replace"), "{reason}");
    world.until(s(120), "in force", is_in_force);
    world.run(s(600));
    assert_eq!((world.active(), world.prepared.kept()), (Some("b"), 1));
}

#[test]
fn settings_that_change_every_second_do_not_keep_an_agent_from_its_server_nor_from_the_last_of_them() {
    let mut world = settled();
    for change in 0..200 {
        let digest = format!("wrong{change}");
        world.try_wrong(list(&["x"]), &digest, Reach::Refuses(ms(1)));
        world.run(s(1));
    }
    assert_eq!((world.active(), world.count(is_detached)), (Some("a"), 0));
    assert!(world.prepared.kept() <= 3, "{}", world.prepared.kept());
    world.try_out(list(&["b"]), "good");
    world.until_attached("b", s(120));
}

#[test]
fn nothing_of_a_candidate_is_used_before_its_name_is_stored() {
    let mut world = settled();
    world.forgets = true;
    world.try_out(list(&["b"]), "good");
    world.run(s(300));
    assert_eq!((world.dials("b").len(), world.count(is_on_trial)), (0, 0));
    let named = world.engine.memory().settings.clone().unwrap();
    assert_eq!(named.candidate.unwrap().name.digest.as_ref(), "good");
    let version = *world.forgotten.last().unwrap();
    world.input(Input::Remembered(version));
    world.until(s(90), "in force", is_in_force);
    world.run(s(600));
    assert_eq!(world.prepared.kept(), 2, "the old ones are kept until it is stored that they were replaced");
    let version = *world.forgotten.last().unwrap();
    world.input(Input::Remembered(version));
    world.run(s(1));
    assert_eq!(world.prepared.kept(), 1);
}

#[test]
fn a_store_that_fails_keeps_no_good_settings_away() {
    let mut world = settled();
    world.forgets = true;
    world.try_out(list(&["b"]), "good");
    let version = *world.forgotten.last().unwrap();
    world.input(Input::CannotRemember(version));
    world.until(s(90), "in force", is_in_force);
    assert_eq!(world.count(|event| matches!(event, Event::CannotRemember { .. })), 1);
}

#[test]
fn settings_that_end_all_communication_are_proved_first() {
    let off = json!({ "name": "g", "server_list": "main", "communication": { "enabled": false } });
    let mut world = settled();
    world.try_out(list(&["b"]).with("group", off.clone()), "off");
    world.until(s(120), "in force", is_in_force);
    world.run(s(1));
    assert_eq!(world.state(), State::Disabled);
    let mut world = settled();
    world.try_wrong(list(&["x"]).with("group", off), "off", Reach::Refuses(ms(1)));
    world.until(BUDGET, "rolled back", is_rolled_back);
    assert_eq!(world.active(), Some("a"));
}

#[test]
fn the_first_settings_have_no_predecessor_and_are_never_taken_back() {
    let mut world = priorities(&[1]).digest("first").start();
    world.set("a", down());
    world.run(s(1));
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    world.run(s(24 * 3600));
    assert_eq!((world.count(is_on_trial), world.count(is_rolled_back)), (0, 0));
    assert_eq!(world.prepared.kept(), 1);
}

#[test]
fn what_was_rejected_is_refused_until_the_server_gives_it_another_tag() {
    let mut world = settled();
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    world.until(BUDGET, "rolled back", is_rolled_back);
    let refused = |event: &Event| matches!(event, Event::SettingsRefused { .. });
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    assert_eq!((world.count(refused), world.count(is_on_trial)), (1, 1));
    // The same after a restart.
    let memory = world.engine.memory().clone();
    let mut world = priorities(&[1]).digest("first").remembering(memory, Away::Unknown).start();
    world.until_attached("a", s(5));
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    assert_eq!((world.count(refused), world.count(is_on_trial)), (1, 0));
    let id = world.prepared.prepare();
    world.prepared.may_go(id);
    let mut name = settings_name("wrong");
    name.tag = Some("\"again\"".into());
    let settings = list(&["b"]).settings();
    world.set_or_add("b", up());
    world.command(Command::Try { id, settings, name: Some(name), given: false });
    world.until(s(90), "in force", is_in_force);
}

#[test]
fn settings_that_are_not_tried_end_a_trial_and_the_agent_has_them_for_good() {
    let mut world = settled();
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    world.run(s(30));
    world.reconfigure(list(&["b"]));
    world.until_attached("b", s(120));
    world.run(s(3600));
    assert_eq!((world.active(), world.count(is_rolled_back), world.prepared.kept()), (Some("b"), 1, 1));
}

#[test]
fn files_that_are_read_again_do_not_end_a_trial() {
    for of_candidate in [true, false] {
        let mut world = settled();
        let candidate = world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
        world.run(s(30));
        let (old, settings) =
            if of_candidate { (candidate, list(&["x"])) } else { (SettingsId(0), priorities(&[1])) };
        world.lead_astray.insert(world.prepared.next(), Reach::Refuses(ms(1)));
        let id = world.prepared.prepare();
        world.prepared.may_go(id);
        if !of_candidate {
            world.lead_astray.remove(&id);
        }
        world.command(Command::Renew { old, id, settings: settings.settings() });
        world.until(BUDGET, "rolled back", is_rolled_back);
        world.run(s(60));
        assert_eq!((world.active(), world.prepared.kept()), (Some("a"), 1), "{of_candidate}");
    }
}

#[test]
fn a_memory_of_other_settings_or_of_nonsense_is_no_memory_of_these() {
    let hostile = json!({ "settings": {
        "given": "x".repeat(100_000), "in_force": { "digest": "other" }, "serial": u64::MAX,
        "candidate": { "name": { "digest": "wrong" }, "spent": "300days", "searches": 255 },
    } });
    let memory: Memory = serde_json::from_value(hostile).unwrap();
    let mut world = priorities(&[1]).digest("first").remembering(memory, Away::Unknown).start();
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    // Nothing has worked in this life, and what worked in another is not here.
    assert_eq!(world.count(is_on_trial), 0);
    let mut world = settled();
    let mut memory = world.engine.memory().clone();
    let known = memory.settings.as_mut().unwrap();
    known.candidate =
        serde_json::from_value(json!({ "name": { "digest": "good" }, "spent": "300days", "searches": 255 }))
            .unwrap();
    world = priorities(&[1]).digest("first").remembering(memory, Away::Unknown).start();
    world.try_out(list(&["b"]), "good");
    world.until(s(120), "in force", is_in_force);
    assert_eq!(world.count(is_rolled_back), 0);
}

#[test]
fn settings_without_a_name_are_tried_all_the_same_and_leave_nothing_behind() {
    let mut world = settled();
    world.try_without_a_name(list(&["x"]), Some(Reach::Refuses(ms(1))));
    world.until(BUDGET, "rolled back", is_rolled_back);
    world.try_without_a_name(list(&["b"]), None);
    world.until(s(120), "in force", is_in_force);
    world.run(s(600));
    assert_eq!((world.active(), world.prepared.kept()), (Some("b"), 1));
}

#[test]
fn the_known_good_settings_offered_again_end_a_trial_of_others() {
    let mut world = settled();
    world.try_wrong(list(&["x"]), "wrong", Reach::Refuses(ms(1)));
    world.run(s(30));
    world.try_out(priorities(&[1]), "first");
    assert_eq!((world.count(is_rolled_back), world.snapshot().settings.unwrap().trial), (1, None));
    world.run(s(3600));
    assert_eq!((world.active(), world.count(is_detached), world.prepared.kept()), (Some("a"), 0, 1));
}

/// A certificate of the agent's was renewed, say, under the path that the settings name.
#[test]
fn the_same_settings_given_again_have_their_files_used() {
    let mut world = priorities(&[1]).digest("first").start();
    world.set("a", status(401));
    world.run(s(30));
    assert_eq!(world.state(), State::Rejected);
    let dials = world.starts.len();
    let id = world.prepared.prepare();
    let (settings, name) = (priorities(&[1]).settings(), Some(settings_name("first")));
    world.set("a", up());
    world.command(Command::Try { id, settings, name, given: true });
    world.until_attached("a", s(5));
    assert_eq!(world.starts.len(), dials + 1);
    assert_eq!(world.policies.last().unwrap().settings, id, "dialled under what was read anew");
    world.run(s(600));
    assert_eq!((world.prepared.kept(), world.count(is_on_trial)), (1, 0));
    // Offered by a server they are nothing new.
    world.try_out(priorities(&[1]), "first");
    world.run(s(600));
    assert_eq!((world.policies.last().unwrap().settings, world.count(is_on_trial)), (id, 0));
}
