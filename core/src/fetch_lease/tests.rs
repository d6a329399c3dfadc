#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::*;

const SCHEDULE: Schedule = Schedule {
    refresh_interval: Duration::from_secs(600),
    min_interval: Duration::from_secs(6),
    timeout: Duration::from_secs(2),
};

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_secs(1_700_000_000 + seconds)
}

fn attempt(lease: FetchLease, demand: bool, now: UnixTime) -> FetchLease {
    match lease.plan(&SCHEDULE, demand, now) {
        Plan::Fetch(claimed) => claimed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_source_that_nobody_asked_is_asked_once() {
    let claimed = attempt(FetchLease::NEW, false, at(0));
    for demand in [false, true] {
        assert_eq!(claimed.plan(&SCHEDULE, demand, at(1)), Plan::InFlight);
    }
}

#[test]
fn a_lost_attempt_is_made_again_when_its_lease_has_ended() {
    let claimed = attempt(FetchLease::NEW, true, at(0));
    assert_eq!(claimed.plan(&SCHEDULE, true, at(2)), Plan::InFlight);
    assert_eq!(claimed.plan(&SCHEDULE, true, at(4)), Plan::NotBefore(at(6)));
    attempt(claimed, true, at(6));
}

#[test]
fn demand_never_brings_attempts_closer_than_the_interval() {
    let fresh = attempt(FetchLease::NEW, true, at(0)).succeeded(&SCHEDULE, 7, at(1), 0);
    for second in 1..6 {
        assert_eq!(
            fresh.plan(&SCHEDULE, true, at(second)),
            Plan::NotBefore(at(6))
        );
    }
    attempt(fresh, true, at(6));
}

#[test]
fn a_good_document_is_refreshed_within_its_interval() {
    for jitter in [0, u32::MAX / 2, u32::MAX] {
        let fresh = attempt(FetchLease::NEW, false, at(0)).succeeded(&SCHEDULE, 7, at(0), jitter);
        assert!(matches!(
            fresh.plan(&SCHEDULE, false, at(539)),
            Plan::NotBefore(_)
        ));
        attempt(fresh, false, at(600));
        assert_eq!(fresh.document(), Some(7));
    }
}

#[test]
fn pauses_double_and_end_at_a_minute() {
    let mut lease = FetchLease::NEW;
    let mut now = at(0);
    for pause in [6, 12, 24, 48, 60, 60] {
        lease = attempt(lease, false, now).failed(&SCHEDULE, now, 0);
        assert_eq!(
            lease.plan(&SCHEDULE, false, now),
            Plan::NotBefore(now.plus(Duration::from_secs(pause)))
        );
        now = now.plus(Duration::from_secs(pause));
    }
    assert_eq!(lease.document(), None);
    for _ in 0..100 {
        lease = lease.failed(&SCHEDULE, now, 0);
    }
    let next = lease.plan(&SCHEDULE, false, now);
    assert_eq!(next, Plan::NotBefore(now.plus(MAX_BACKOFF)));
}

#[test]
fn what_was_never_sent_is_no_attempt() {
    let claimed = attempt(FetchLease::NEW, true, at(0));
    attempt(claimed.withdrawn(&FetchLease::NEW), true, at(0));
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let claimed = attempt(FetchLease::NEW, false, at(1000));
    let fresh = claimed.succeeded(&SCHEDULE, 7, at(1000), 0);
    for demand in [false, true] {
        attempt(fresh, demand, at(0));
        // Nor does an attempt that was under way then, and may be lost.
        attempt(claimed, demand, at(0));
    }
    // Workers look at the clock one after the other: that is no setting back.
    let earlier = at(1000).minus(Duration::from_millis(10));
    assert_eq!(claimed.plan(&SCHEDULE, true, earlier), Plan::InFlight);
}

#[test]
fn damaged_bytes_count_as_absent() {
    let lease = attempt(FetchLease::NEW, true, at(0)).failed(&SCHEDULE, at(1), 7);
    let bytes = lease.to_bytes();
    assert_eq!(FetchLease::from_bytes(&bytes), Some(lease));
    for i in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[i] ^= 1;
        assert_eq!(FetchLease::from_bytes(&damaged), None, "byte {i}");
        assert_eq!(FetchLease::from_bytes(&bytes[..i]), None, "cut at {i}");
    }
    assert_eq!(FetchLease::from_bytes(&seal(b"another document")), None);
}

#[test]
fn an_attempt_is_the_same_until_another_begins() {
    let own = attempt(FetchLease::NEW, true, at(0));
    assert!(!FetchLease::NEW.is_same_attempt(&own));
    for (what, stored) in [
        ("claimed", own),
        ("extended", own.extended(&SCHEDULE, at(2))),
        ("succeeded", own.succeeded(&SCHEDULE, 7, at(2), 0)),
        ("failed", own.failed(&SCHEDULE, at(2), 0)),
    ] {
        assert!(stored.is_same_attempt(&own), "{what}");
        assert!(
            !attempt(stored, true, at(9)).is_same_attempt(&own),
            "{what}"
        );
    }
    assert!(!own.withdrawn(&FetchLease::NEW).is_same_attempt(&own));
}

#[test]
fn an_attempt_that_goes_on_keeps_others_away() {
    let mut own = attempt(FetchLease::NEW, true, at(0));
    // Pages that come slower than any timeout grants to all of them.
    for second in [2, 4, 6, 8, 10] {
        own = own.extended(&SCHEDULE, at(second));
        assert_eq!(own.plan(&SCHEDULE, true, at(second + 2)), Plan::InFlight);
    }
    attempt(own, true, at(14));
}
