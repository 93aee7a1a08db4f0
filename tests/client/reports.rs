//! Reports over real sockets: delivered at least once, under the same numbers, and settled by nothing but an acknowledgement.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use homing::client::Client;
use homing::engine::Event;
use homing::store::outbox::{Limits, Outbox};
use homing::types::{Durability, Lane, Report, ReportKind, SubmitError};

use crate::server::{Authority, Conversation, Request, Server};
use crate::{attached, builder, document, heartbeat, ok, settings, wait_for};

fn report(kind: ReportKind, body: &str) -> Report {
    Report { kind, body: body.as_bytes().to_vec() }
}

fn is_upload(request: &Request) -> bool {
    request.line.starts_with("POST /homing/v1/upload/")
}

/// The last number of a batch.
pub(super) fn last(request: &Request) -> u64 {
    request.field("homing-sequence").unwrap().split_once('-').unwrap().1.parse().unwrap()
}

pub(super) fn acknowledged(number: impl std::fmt::Display) -> String {
    format!("HTTP/1.1 200 OK\r\nHoming-Acknowledged: {number}\r\nContent-Length: 0\r\n\r\n")
}

/// Answers heartbeats well, and each upload as told: by its place among all uploads, from 0.
pub(super) fn uploading(
    answer: impl Fn(usize, &Request) -> String + Send + Sync + 'static,
) -> impl Fn(&mut Conversation<'_>) + Send + Sync + 'static {
    let count = Mutex::new(0);
    move |conversation| {
        while let Some(request) = conversation.request() {
            if is_upload(&request) {
                let place = {
                    let mut count = count.lock().unwrap();
                    *count += 1;
                    *count - 1
                };
                conversation.say(&answer(place, &request));
            } else {
                conversation.say(&ok("do this"));
            }
        }
    }
}

/// Every report that a server was sent, by lane, series and number, and how often.
pub(super) fn books(server: &Server) -> BTreeMap<(String, String, u64), (String, usize)> {
    let mut books = BTreeMap::new();
    for request in server.requests().iter().filter(|request| is_upload(request)) {
        let lane = request.line.split(['/', ' ']).nth(5).unwrap().to_owned();
        let series = request.field("homing-series").unwrap().to_owned();
        let mut rest = request.body.as_slice();
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line = std::str::from_utf8(&rest[..end]).unwrap();
            let words: Vec<_> = line.split(' ').collect();
            let (number, length): (u64, usize) = (words[0].parse().unwrap(), words[2].parse().unwrap());
            let body = String::from_utf8(rest[end + 1..end + 1 + length].to_vec()).unwrap();
            assert_eq!(rest[end + 1 + length], b'\n');
            rest = &rest[end + 2 + length..];
            let entry = books.entry((lane.clone(), series.clone(), number)).or_insert((body.clone(), 0));
            assert_eq!(entry.0, body, "one number, two reports");
            entry.1 += 1;
        }
    }
    books
}

/// A client whose heartbeats come when they are asked for: by itself it makes one at attachment and the next in 36 s.
fn quiet(server: &Server) -> Client {
    let mut document = document(&[server], serde_json::json!({}));
    document["group"]["communication"]["heartbeat_interval"] = "1h".into();
    let client = builder(document.to_string().parse().unwrap()).start().unwrap();
    attached(&client);
    heartbeat(&client);
    client
}

/// Waits until a server has taken reports of this lane: how many, and how many wait.
fn uploaded(client: &Client, of: Lane) -> (u64, u64) {
    wait_for(client, |event| {
        let Event::Uploaded { lane, reports, waiting, .. } = &event.event else { return None };
        (*lane == of).then_some((*reports, *waiting))
    })
}

fn failure(client: &Client) -> String {
    wait_for(client, |event| {
        let Event::UploadFailed { detail, .. } = &event.event else { return None };
        Some(detail.clone())
    })
}

#[test]
fn a_critical_report_is_delivered_once_and_says_who_it_is() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, uploading(|_, request| acknowledged(last(request))));
    let client = builder(settings(&[&server], authority.policy())).start().unwrap();
    attached(&client);
    let id = client.submit(report(ReportKind::RiskFound, "eicar"), Durability::Buffered).unwrap();
    assert_eq!(uploaded(&client, Lane::Critical), (1, 0));
    client.submit(report(ReportKind::Log, "a line"), Durability::Buffered).unwrap();
    assert_eq!(uploaded(&client, Lane::Log), (1, 0));
    let account = client.outbox().account(Lane::Critical);
    assert_eq!((account.submitted, account.sent, account.waiting), (1, 1, 0));
    let books = books(&server);
    let name = ("critical".to_owned(), id.series.to_string(), id.number);
    assert_eq!(books.get(&name), Some(&("eicar".to_owned(), 1)));
    assert_eq!(books.len(), 2);
    let requests = server.requests();
    let upload = requests.iter().find(|request| is_upload(request)).unwrap();
    assert_eq!(upload.field("homing-agent"), Some("agent-1"));
    assert!(server.connections() <= 2, "on the kept connection, or on one beside a heartbeat");
}

#[test]
fn a_critical_report_wakes_a_client_that_has_just_made_a_heartbeat() {
    let server = Server::plain("a", uploading(|_, request| acknowledged(last(request))));
    let client = quiet(&server);
    for _ in 0..5 {
        client.beat_now();
        heartbeat(&client);
        client.submit(report(ReportKind::RiskFound, "eicar"), Durability::Buffered).unwrap();
        let first = wait_for(&client, |event| {
            let name = event.event.name();
            ["uploaded", "heartbeat"].contains(&name).then_some(name)
        });
        assert_eq!(first, "uploaded", "it has waited for the next heartbeat");
    }
}

#[test]
fn what_has_gathered_by_a_heartbeat_leaves_with_it_to_the_last() {
    let server = Server::plain("a", uploading(|_, request| acknowledged(last(request))));
    let client = quiet(&server);
    // More than a batch; the client has heard of the first few.
    for number in 0..3_000 {
        let body = format!("line {number} of a log that is long enough to make several batches");
        client.submit(report(ReportKind::Log, &body), Durability::Buffered).unwrap();
    }
    client.beat_now();
    let mut heartbeats = 0;
    let left = |client: &Client| client.outbox().account(Lane::Log).waiting;
    while left(&client) > 0 {
        heartbeats += wait_for(&client, |event| {
            let name = event.event.name();
            ["uploaded", "heartbeat"].contains(&name).then_some(usize::from(name == "heartbeat"))
        });
        assert!(heartbeats <= 1, "{} wait for another heartbeat", left(&client));
    }
}

#[test]
fn what_is_not_acknowledged_comes_again_under_the_same_numbers() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhelp";
    let bare = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for answer in [page.to_owned(), bare.to_owned(), acknowledged(0), acknowledged(99), acknowledged("x")] {
        let told = answer.clone();
        let server = Server::plain(
            "a",
            uploading(move |place, request| match place {
                0 => told.clone(),
                _ => acknowledged(last(request)),
            }),
        );
        let client = builder(settings(&[&server], serde_json::json!({}))).start().unwrap();
        attached(&client);
        let id = client.submit(report(ReportKind::Intrusion, "knock"), Durability::Buffered).unwrap();
        failure(&client);
        assert_eq!(uploaded(&client, Lane::Critical), (1, 0), "{answer}");
        let name = ("critical".to_owned(), id.series.to_string(), id.number);
        assert_eq!(books(&server).get(&name), Some(&("knock".to_owned(), 2)), "{answer}");
    }
}

#[test]
fn a_server_may_take_some_of_a_batch_and_the_rest_follows() {
    // Nothing leaves before all of it waits.
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let server = Server::plain(
        "a",
        uploading(move |place, request| {
            if place == 0 {
                let _ = wait.lock().unwrap().recv();
            }
            acknowledged(if place == 1 { last(request) - 3 } else { last(request) })
        }),
    );
    let client = builder(settings(&[&server], serde_json::json!({}))).start().unwrap();
    attached(&client);
    client.submit(report(ReportKind::RiskFound, "first"), Durability::Buffered).unwrap();
    while !server.requests().iter().any(is_upload) {
        std::thread::yield_now();
    }
    for number in 0..10 {
        client.submit(report(ReportKind::RiskFound, &number.to_string()), Durability::Buffered).unwrap();
    }
    go.send(()).unwrap();
    let mut taken = Vec::new();
    while taken.iter().sum::<u64>() < 11 {
        taken.push(uploaded(&client, Lane::Critical).0);
    }
    let books = books(&server);
    assert_eq!(books.len(), 11);
    assert_eq!(books.values().filter(|(_, count)| *count == 2).count(), 3, "{taken:?}");
}

#[test]
fn a_batch_that_is_too_large_is_split_and_a_lone_large_report_is_given_up() {
    const TOO_LARGE: &str = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    let server = Server::plain(
        "a",
        uploading(|_, request| match request.body.len() {
            0..=20_000 => acknowledged(last(request)),
            _ => TOO_LARGE.to_owned(),
        }),
    );
    let client = builder(settings(&[&server], serde_json::json!({}))).start().unwrap();
    attached(&client);
    let large = "x".repeat(30_000);
    client.submit(report(ReportKind::RiskFound, &large), Durability::Buffered).unwrap();
    for number in 0..50 {
        let body = format!("{number}{}", "y".repeat(1_000));
        client.submit(report(ReportKind::RiskFound, &body), Durability::Buffered).unwrap();
    }
    let (mut taken, mut lost) = (0, Vec::new());
    while taken < 50 || lost.is_empty() {
        let event = client.next_event_timeout(crate::LONG).unwrap().expect("all of it arrives").event;
        if let Event::Uploaded { reports, .. } = event {
            taken += reports;
        } else if let Event::ReportsLost { lane: Lane::Critical, reports: 1, detail } = event {
            lost.push(detail);
        }
    }
    assert!(lost.len() == 1 && lost[0].contains("30000 bytes"), "{lost:?}");
    let account = client.outbox().account(Lane::Critical);
    assert_eq!((account.sent, account.dropped.too_large, account.waiting), (50, 1, 0));
}

#[test]
fn a_report_that_is_refused_for_ever_is_given_up_and_holds_nothing_up() {
    for folder in [None, Some(tempfile::tempdir().unwrap())] {
        let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        let server = Server::plain(
            "a",
            uploading(move |_, request| {
                let is_bad = request.body.windows(6).any(|bytes| bytes == b"poison");
                if is_bad { refused.to_owned() } else { acknowledged(last(request)) }
            }),
        );
        let mut builder = builder(settings(&[&server], serde_json::json!({})));
        if let Some(folder) = &folder {
            builder = builder.outbox(Outbox::open(folder.path().join("outbox"), Limits::default()));
        }
        let client = builder.start().unwrap();
        attached(&client);
        for body in ["a", "poison", "b", "c"] {
            client.submit(report(ReportKind::Log, body), Durability::Buffered).unwrap();
        }
        let detail = wait_for(&client, |event| {
            let Event::ReportsLost { lane: Lane::Log, reports: 1, detail } = &event.event else {
                return None;
            };
            Some(detail.clone())
        });
        assert!(detail.contains("refused log/") && detail.contains("12 times in a row"), "{detail}");
        let account = || client.outbox().account(Lane::Log);
        while account().waiting > 0 {
            heartbeat(&client);
        }
        let account = account();
        assert_eq!((account.sent, account.dropped.not_taken), (3, 1));
    }
}

#[test]
fn what_waits_in_the_folder_is_delivered_by_the_next_life() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let server = Server::plain("a", uploading(|_, request| acknowledged(last(request))));
    let away = Server::plain("a", |_| {});
    let id = {
        let outbox = Outbox::open(&path, Limits::default());
        let client = builder(settings(&[&away], serde_json::json!({}))).outbox(outbox).start().unwrap();
        let id = client.submit(report(ReportKind::RiskFound, "eicar"), Durability::Durable).unwrap();
        client.submit(report(ReportKind::Status, "fine"), Durability::Buffered).unwrap();
        client.stop(Duration::ZERO);
        id
    };
    let outbox = Outbox::open(&path, Limits::default());
    let client = builder(settings(&[&server], serde_json::json!({}))).outbox(outbox).start().unwrap();
    assert_eq!(uploaded(&client, Lane::Critical), (1, 0));
    assert_eq!(uploaded(&client, Lane::Status), (1, 0));
    let name = ("critical".to_owned(), id.series.to_string(), id.number);
    assert_eq!(books(&server).get(&name), Some(&("eicar".to_owned(), 1)));
}

#[test]
fn a_callback_may_submit_and_not_wait_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path().join("outbox"), Limits::default());
    let server = Server::plain("a", uploading(|_, request| acknowledged(last(request))));
    let (tell, told) = channel();
    let _client = builder(settings(&[&server], serde_json::json!({})))
        .outbox(outbox)
        .on_event(move |client, event| {
            if let Event::Attached { .. } = event.event {
                let report = report(ReportKind::Intrusion, "knock");
                let refused = client.submit(report.clone(), Durability::Durable);
                assert!(matches!(refused, Err(SubmitError::InCallback)), "{refused:?}");
                client.submit(report, Durability::Buffered).unwrap();
            } else if let Event::Uploaded { reports, .. } = event.event {
                tell.send(reports).unwrap();
            }
        })
        .start()
        .unwrap();
    assert_eq!(told.recv_timeout(crate::LONG).unwrap(), 1);
}

#[test]
fn the_end_takes_critical_reports_along() {
    let server = Server::plain("a", uploading(|_, request| acknowledged(last(request))));
    let quiet = serde_json::json!({ "upload_critical_immediately": false, "heartbeat_interval": "1d" });
    let mut document = document(&[&server], serde_json::json!({}));
    document["group"]["communication"] = quiet;
    let client = builder(document.to_string().parse().unwrap()).start().unwrap();
    attached(&client);
    // The attach was a heartbeat: what comes after it waits for the next.
    heartbeat(&client);
    for number in 0..100 {
        client.submit(report(ReportKind::RiskFound, &number.to_string()), Durability::Buffered).unwrap();
    }
    client.stop(Duration::from_secs(20));
    assert_eq!(client.outbox().account(Lane::Critical).sent, 100);
    assert_eq!(books(&server).len(), 100);
}

#[test]
fn submitting_from_many_threads_loses_and_doubles_nothing() {
    let server = Server::plain("a", uploading(|_, request| acknowledged(last(request))));
    let client = Arc::new(builder(settings(&[&server], serde_json::json!({}))).start().unwrap());
    attached(&client);
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let client = Arc::clone(&client);
            std::thread::spawn(move || {
                for number in 0..200 {
                    let body = format!("{thread} {number}");
                    client.submit(report(ReportKind::RiskFound, &body), Durability::Buffered).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let mut taken = 0;
    while taken < 1_600 {
        taken += uploaded(&client, Lane::Critical).0;
    }
    let books = books(&server);
    assert_eq!(books.len(), 1_600);
    assert!(books.values().all(|(_, count)| *count == 1));
}
