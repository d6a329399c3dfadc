#![allow(
    clippy::disallowed_methods,
    reason = "an Instant has no other constructor"
)]

use super::*;
use crate::policy::ProviderId;
use crate::secret::Fingerprint;

fn question(token: u128) -> Question {
    Question::Introspection {
        provider: ProviderId(0),
        token: Fingerprint::new(token),
    }
}

fn start(calls: &mut InFlight, n: u32, standing: Standing, now: Instant) -> Deadline {
    let question = question(u128::from(n));
    assert_eq!(calls.admit(&question, standing), Admission::Ask, "{n}");
    let deadline = Deadline::after(now, Duration::from_millis(500));
    calls.started(&question, standing, n, deadline);
    deadline
}

#[test]
fn a_question_is_asked_once_and_its_answer_ends_the_call() {
    let now = Instant::now();
    let mut calls = InFlight::default();
    let deadline = start(&mut calls, 1, Standing::Known, now);
    let again = calls.admit(&question(1), Standing::Stranger);
    assert_eq!(again, Admission::Joined(deadline));
    assert_eq!(calls.question(1), Some(&question(1)));
    assert_eq!(calls.question(2), None);

    let answered = calls.answered(1, Ok("yes"), now);
    assert_eq!(answered, Some((question(1), Ok("yes"))));
    assert_eq!(calls.answered(1, Ok("yes"), now), None);
    assert_eq!(
        calls.admit(&question(1), Standing::Stranger),
        Admission::Ask
    );
}

#[test]
fn an_answer_that_breaks_off_after_its_time_is_a_timeout() {
    let now = Instant::now();
    let mut calls = InFlight::default();
    start(&mut calls, 1, Standing::Known, now);
    let broken = Err::<(), _>(CallFault::BrokenOff);
    let in_time = calls.answered(1, broken, now);
    assert_eq!(in_time, Some((question(1), Err(CallFault::BrokenOff))));
    start(&mut calls, 2, Standing::Known, now);
    let late = calls.answered(2, broken, now + Duration::from_millis(500));
    assert_eq!(late, Some((question(2), Err(CallFault::Timeout))));
}

#[test]
fn what_the_host_forgets_is_lost_after_a_grace() {
    let now = Instant::now();
    let mut calls = InFlight::default();
    start(&mut calls, 1, Standing::Known, now);
    assert!(calls.take_lost(now + Duration::from_millis(749)).is_empty());
    let lost = calls.take_lost(now + Duration::from_millis(750));
    assert_eq!(lost, [question(1)]);
    // An answer that comes after all is nobody's.
    assert_eq!(calls.answered(1, Ok(()), now), None);
    assert_eq!(calls.admit(&question(1), Standing::Known), Admission::Ask);
}

#[test]
fn strangers_leave_room_for_known_tokens() {
    let now = Instant::now();
    let mut calls = InFlight::default();
    let limits = question(0).limits();
    let for_strangers = limits.in_flight - limits.kept;
    for n in 0..for_strangers {
        start(&mut calls, n as u32, Standing::Stranger, now);
    }
    let next = question(u128::MAX);
    assert_eq!(calls.admit(&next, Standing::Stranger), Admission::NoRoom);
    for n in for_strangers..limits.in_flight {
        start(&mut calls, n as u32, Standing::Known, now);
    }
    assert_eq!(calls.admit(&next, Standing::Known), Admission::NoRoom);
    // An answer makes room.
    calls.answered(0, Ok(()), now);
    assert_eq!(calls.admit(&next, Standing::Known), Admission::Ask);
}
