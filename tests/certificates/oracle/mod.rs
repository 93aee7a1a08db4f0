//! Hundreds of chains and lists, made with one fault each, and judged twice: by homing and by `openssl verify`.
//!
//! A fault says what has to come out: the reason, the certificate it names, a piece of the advice, and, where OpenSSL says otherwise, the rule
//! why. The advice is followed: what it says is done, and then the server is believed.

mod asked;
mod case;
mod chain;
mod chains;
mod fault;
mod lists;
mod names;
mod rule;
mod situations;

use std::thread;

use self::case::Case;
use crate::forge::{openssl, pem};
use crate::world::World;

/// Whether `openssl verify` accepts it.
fn openssl_accepts(world: &World) -> Result<(), String> {
    let bundle =
        |certificates: &[Vec<u8>]| certificates.iter().map(|it| pem("CERTIFICATE", it)).collect::<String>();
    let Some((own, others)) = world.chain.split_first() else { return Err("nothing to judge".to_owned()) };
    let (roots, others, own) = (bundle(&world.roots), bundle(others), pem("CERTIFICATE", own));
    let lists: String = world.lists.iter().map(|list| pem("X509 CRL", list)).collect();
    let is_address = world.host.parse::<std::net::IpAddr>().is_ok();
    let mut arguments = vec![
        "verify",
        "-attime",
        "1800000000",
        "-purpose",
        "sslserver",
        "-no-CApath",
        "-no-CAstore",
        "-CAfile",
        "ca.pem",
        if is_address { "-verify_ip" } else { "-verify_hostname" },
        &world.host,
    ];
    let mut files: Vec<(&str, &[u8])> = vec![("ca.pem", roots.as_bytes()), ("own.pem", own.as_bytes())];
    if !others.is_empty() {
        arguments.extend(["-untrusted", "others.pem"]);
        files.push(("others.pem", others.as_bytes()));
    }
    if !lists.is_empty() {
        arguments.extend(["-crl_check", "-CRLfile", "lists.pem"]);
        files.push(("lists.pem", lists.as_bytes()));
    }
    arguments.push("own.pem");
    openssl(&arguments, &files).map(|_| ())
}

/// What is wrong with the outcome of a case.
fn faults_of(case: &Case) -> Vec<String> {
    let mut found = Vec::new();
    let verdict = case.world.verdict();
    let (told, advice) = match &verdict {
        Ok(_) => (String::new(), String::new()),
        Err(reason) => (reason.to_string(), reason.explain().into_owned()),
    };
    let class = case.world.class();
    if class != case.reason {
        found.push(format!("should be {}, and is {class}: {told}", case.reason));
    } else if !told.starts_with(&case.named) {
        found.push(format!("should name {}: {told}", case.named));
    } else if !advice.contains(case.advice) {
        found.push(format!("should advise `{}`: {told}; {advice}", case.advice));
    }
    let theirs = openssl_accepts(&case.world);
    if (theirs.is_ok() == verdict.is_ok()) != case.rule.is_none() {
        found.push(format!("OpenSSL says {theirs:?}, and the rule is {:?}: {told}", case.rule));
    }
    if let Some(cured) = &case.cured
        && let Err(reason) = cured.verdict()
    {
        found.push(format!("the advice led to: {reason}"));
    }
    found.into_iter().map(|fault| format!("{}: {fault}", case.label)).collect()
}

#[test]
fn every_verdict_is_that_of_openssl_or_a_rule_says_why_and_the_advice_cures_it() {
    let cases: Vec<Case> = [
        chains::faults(),
        chains::keys(),
        lists::lists(),
        names::names(),
        situations::situations(),
        asked::asked(),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert!(cases.len() >= 300, "{}", cases.len());
    rule::are_all_reasons(&cases.iter().map(|case| case.reason).collect::<Vec<_>>());
    rule::are_all(cases.iter().filter_map(|case| case.rule).collect());
    // Most of the time is spent in waiting for processes.
    let found: Vec<String> = thread::scope(|scope| {
        let parts: Vec<_> = cases.chunks(cases.len() / 4 + 1).collect();
        let threads: Vec<_> = parts
            .into_iter()
            .map(|part| scope.spawn(move || part.iter().flat_map(faults_of).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.is_empty(), "{} of {}\n{}", found.len(), cases.len(), found.join("\n"));
}
