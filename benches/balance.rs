//! How evenly agents share the servers of a priority, and what moves when one server goes.
//!
//! `cargo bench --bench balance`
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that measures, not a library"
)]

#[path = "support/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use homing::engine::{Away, Engine, Memory, Setup};
use homing::settings::Settings;
use homing::types::{Moment, Route, ServerId};
use homing_sim::agent;
use table::Table;

const AGENTS: usize = 100_000;

fn main() {
    let (eight, seven) = (settings(8), settings(7));
    let before: Vec<ServerId> = (0..AGENTS).map(|agent| own(agent, &eight)).collect();
    let after: Vec<ServerId> = (0..AGENTS).map(|agent| own(agent, &seven)).collect();
    let gone = ServerId::new("https://10.0.0.8:443");

    let mut table = Table::new("agents 0 to 99,999 on 8 servers of one priority and equal weight");
    table.at_most("share of the largest / mean", spread(before.iter()), 1.02, "");
    let strangers = before.iter().zip(&after).filter(|(was, is)| **was != gone && was != is).count();
    table.at_most("moved by the removal of one server though not its own", strangers as f64, 0.0, "agents");
    let heirs = before.iter().zip(&after).filter(|(was, _)| **was == gone).map(|(_, is)| is);
    table.says("its own, over the other 7: largest / mean", format!("{:.3}", spread(heirs)));

    println!();
    divan::main();
}

fn settings(servers: usize) -> Arc<Settings> {
    agent::settings(servers, "pull", "300s")
}

fn engine(agent: usize, settings: &Arc<Settings>) -> Engine {
    let agent = agent.to_string().parse().expect("digits are visible characters");
    let setup = Setup { routes: Arc::from([Route::Direct]), ..Setup::new(settings.clone(), agent) };
    Engine::new(setup, Memory::default(), Away::Unknown, 1, Moment::ORIGIN)
}

/// The server this agent calls its own.
fn own(agent: usize, settings: &Arc<Settings>) -> ServerId {
    let servers = engine(agent, settings).snapshot(Moment::ORIGIN).servers;
    servers.into_iter().find(|server| server.rank == 1).expect("a list of servers has a first").server
}

/// The largest share over the mean.
fn spread<'a>(servers: impl Iterator<Item = &'a ServerId>) -> f64 {
    let mut counts: BTreeMap<&ServerId, usize> = BTreeMap::new();
    servers.for_each(|server| *counts.entry(server).or_default() += 1);
    let mean = counts.values().sum::<usize>() as f64 / counts.len() as f64;
    counts.values().max().copied().unwrap_or_default() as f64 / mean
}

/// Making an engine, which ranks every server of the list.
#[divan::bench(args = [8, 32, 250])]
fn ranking(bencher: divan::Bencher<'_, '_>, servers: usize) {
    let settings = settings(servers);
    bencher.bench_local(|| engine(7, &settings));
}
