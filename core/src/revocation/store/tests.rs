#![allow(clippy::arithmetic_side_effects)]

use std::collections::HashMap;

use super::*;
use crate::limits::LAST_SECOND;

const KEY: DigestKey = DigestKey::new([7; 16]);

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_secs(1_700_000_000 + seconds)
}

fn keeping(clock_tolerance: u64, max_lifetime: Option<u64>) -> Retention {
    Retention {
        clock_tolerance: Duration::from_secs(clock_tolerance),
        max_lifetime: max_lifetime.map(Duration::from_secs),
    }
}

fn store(entries: &[Entry]) -> Store {
    let mut store = Store::new(KEY);
    for entry in entries {
        store.insert(*entry);
    }
    store
}

/// An entry for each number, as evenly spread as digests are (SplitMix64).
fn numbered(number: u64, time: UnixTime) -> Entry {
    let mut digest = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    digest = (digest ^ (digest >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    digest = (digest ^ (digest >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let digest = ((digest ^ (digest >> 31)) & !1).max(2);
    Entry { digest, time }
}

fn revokes(store: &Store, jti: &str, sub: &str, clients: &[&str], iat: Option<UnixTime>) -> bool {
    let clients: Vec<std::rc::Rc<str>> = clients.iter().map(|client| (*client).into()).collect();
    let named = |name| Some(name).filter(|name: &&str| !name.is_empty());
    store.revokes(&RevocationSubject {
        token_id: named(jti),
        subject: named(sub),
        clients: &clients,
        issued_at: iat,
    })
}

// === what an entry revokes ===

#[test]
fn an_entry_revokes_what_it_names() {
    let store = store(&[
        KEY.token("t", at(600)),
        KEY.subject("sue", at(0)),
        KEY.client("app", at(0)),
        KEY.subject_at_client("bob", "web", at(0)),
    ]);
    let none: &[&str] = &[];
    let (early, late) = (Some(at(-1)), Some(at(1)));
    type Row<'a> = (&'a str, &'a str, &'a [&'a str], Option<UnixTime>, bool);
    let rows: &[Row<'_>] = &[
        ("", "", none, early, false),
        ("u", "eve", &["other"], early, false),
        ("t", "eve", none, late, true),
        ("t", "", none, None, true),
        ("u", "sue", none, early, true),
        ("u", "sue", none, Some(at(0)), true),
        ("u", "sue", none, late, false),
        // Without `iat` nothing shows that it is younger.
        ("u", "sue", none, None, true),
        ("u", "eve", &["app"], early, true),
        ("u", "eve", &["other", "app"], early, true),
        ("u", "eve", &["app"], late, false),
        ("u", "bob", &["web"], early, true),
        ("u", "bob", &["other", "web"], early, true),
        ("u", "bob", &["web"], late, false),
        ("u", "bob", &["other"], early, false),
        ("u", "bob", none, None, false),
        ("u", "eve", &["web"], early, false),
        // A name counts in its own place alone.
        ("sue", "t", &["sue", "t", "bob"], None, false),
        ("app", "app", &["sue"], None, false),
    ];
    for row in rows {
        let (jti, sub, clients, iat, expected) = row;
        assert_eq!(
            revokes(&store, jti, sub, clients, *iat),
            *expected,
            "{row:?}"
        );
    }
    for id in ["t", "sue", "app", "bob"] {
        assert!(!store.revokes_api_key(id), "{id}");
    }
}

#[test]
fn an_api_key_is_revoked_for_good_and_no_token_with_it() {
    let mut store = store(&[KEY.api_key("robot")]);
    store.sweep_all(&keeping(0, Some(0)), UnixTime::from_secs(LAST_SECOND));
    assert!(store.revokes_api_key("robot"));
    assert!(!store.revokes_api_key("robo"));
    assert!(!revokes(&store, "robot", "robot", &["robot"], None));
}

#[test]
fn digests_of_different_names_differ() {
    let names = [
        Name::ApiKey("a"),
        Name::Client("a"),
        Name::Subject("a"),
        Name::SubjectAtClient("a", ""),
        Name::SubjectAtClient("", "a"),
        Name::SubjectAtClient("ab", "c"),
        Name::SubjectAtClient("a", "bc"),
        Name::SubjectAtClient("c", "ab"),
        Name::Token("a"),
        Name::Token(""),
        Name::Subject(""),
        Name::Token("a\0"),
    ];
    let other = DigestKey::new([8; 16]);
    let mut digests: Vec<u64> = names
        .iter()
        .flat_map(|name| [KEY.digest(*name), other.digest(*name)])
        // Not by their lowest bit, which says what the time means.
        .map(|digest| digest >> 1)
        .collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 2 * names.len());
}

#[test]
fn the_lowest_bit_says_what_the_time_means() {
    for number in 0..64 {
        let name = number.to_string();
        assert!(KEY.token(&name, at(0)).is_of_token());
        assert!(KEY.api_key(&name).is_of_token());
        assert!(!KEY.subject(&name, at(0)).is_of_token());
        assert!(!KEY.client(&name, at(0)).is_of_token());
        assert!(!KEY.subject_at_client(&name, "c", at(0)).is_of_token());
    }
}

// === the tables ===

#[test]
fn of_two_times_for_one_name_the_later_counts() {
    let entry = |seconds| KEY.subject("sue", at(seconds));
    let mut store = store(&[]);
    assert!(store.would_change(&entry(5)) && !store.holds_name_of(&entry(5)));
    for (seconds, changes, stands) in [(5, true, 5), (5, false, 5), (3, false, 5), (9, true, 9)] {
        assert_eq!(store.would_change(&entry(seconds)), changes);
        assert_eq!(store.insert(entry(seconds)), changes);
        assert!(store.holds_name_of(&entry(0)));
        assert!(revokes(&store, "", "sue", &[], Some(at(stands))));
        assert!(!revokes(&store, "", "sue", &[], Some(at(stands + 1))));
        assert_eq!(store.len(), 1);
    }
}

#[test]
fn nothing_is_lost_as_tables_grow() {
    const ENTRIES: u64 = 20_000;
    let mut store = Store::new(KEY);
    assert!(store.is_empty());
    for number in 0..ENTRIES {
        let entry = numbered(number, at(0));
        assert!(store.would_change(&entry));
        assert!(store.insert(entry));
        assert_eq!(store.len() as u64, number + 1);
        // One that came early, each time.
        assert!(!store.would_change(&numbered(number / 2, at(0))));
    }
    for number in 0..ENTRIES {
        assert_eq!(store.get(numbered(number, at(0)).digest), Some(at(0)));
    }
    for number in ENTRIES..2 * ENTRIES {
        assert_eq!(store.get(numbered(number, at(0)).digest), None);
    }
    let shards: Vec<Vec<Entry>> = (0..SHARDS).map(|n| store.shard(n).collect()).collect();
    assert_eq!(shards.iter().map(Vec::len).sum::<usize>(), store.len());
    for (number, shard) in shards.iter().enumerate() {
        assert!(shard.iter().all(|entry| entry.shard() == number));
    }
    assert_eq!(store.shard(SHARDS).count(), 0);
}

/// Digests of one table that all want its last place: they wrap around to its start.
#[test]
fn digests_that_pile_up_are_all_found() {
    let mut store = Store::new(KEY);
    let entry = |number: u64| Entry {
        digest: (number << 33) | 0xffff_fffe,
        time: at(0),
    };
    for number in 1..=500 {
        assert!(store.insert(entry(number)));
    }
    assert_eq!(store.len(), 500);
    assert_eq!(store.shard(0).count(), 500);
    for number in 1..=500 {
        assert!(store.holds_name_of(&entry(number)), "{number}");
    }
    assert!(!store.holds_name_of(&entry(501)));
}

#[test]
fn a_store_does_what_a_map_does() {
    let mut store = Store::new(KEY);
    let mut model: HashMap<u64, UnixTime> = HashMap::new();
    let retention = keeping(0, Some(0));
    let mut random = 1_u64;
    let mut now = 0;
    for _ in 0..30_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let (number, seconds) = (random >> 33 & 0xfff, (random >> 50 & 0xff) as i64);
        let entry = numbered(number, at(now + seconds));
        let known = model.get(&entry.digest).copied();
        let changes = known.is_none_or(|time| time < entry.time);
        assert_eq!(store.would_change(&entry), changes);
        assert_eq!(store.holds_name_of(&entry), known.is_some());
        assert_eq!(store.insert(entry), changes);
        let time = model.entry(entry.digest).or_insert(entry.time);
        *time = entry.time.max(*time);
        if random >> 58 == 0 {
            now += 7;
            store.sweep_all(&retention, at(now));
            model.retain(|_, time| *time > at(now));
        }
        assert_eq!(store.len(), model.len());
    }
    assert!(now > 1000, "sweeps happened");
    let mut held: Vec<(u64, UnixTime)> = (0..SHARDS)
        .flat_map(|n| store.shard(n).collect::<Vec<_>>())
        .map(|entry| (entry.digest, entry.time))
        .collect();
    let mut expected: Vec<(u64, UnixTime)> = model.into_iter().collect();
    held.sort_unstable();
    expected.sort_unstable();
    assert_eq!(held, expected);
}

#[test]
fn a_million_entries_take_25_bytes_each_at_the_most() {
    let mut store = Store::new(KEY);
    let (mut least, mut most) = (f64::MAX, 0_f64);
    for number in 1..=1_000_000_u64 {
        store.insert(numbered(number, at(0)));
        if number >= 100_000 && number % 10_000 == 0 {
            let each = store.bytes() as f64 / number as f64;
            (least, most) = (least.min(each), most.max(each));
        }
    }
    assert_eq!(store.len(), 1_000_000);
    println!("{least:.1} to {most:.1} bytes an entry");
    // No table is fuller than four fifths, which would cost searches dearly.
    assert!(least >= 20.0, "{least}");
    assert!(most <= 25.0, "{most}");
}

// === forgetting ===

#[test]
fn entries_end_when_no_token_is_left_that_they_could_match() {
    let (token, subject) = (KEY.token("t", at(100)), KEY.subject("s", at(100)));
    let for_good = KEY.token("t", UnixTime::FAR_FUTURE);
    let rows = [
        (token, keeping(0, None), 99, false),
        (token, keeping(0, None), 100, true),
        (token, keeping(30, None), 129, false),
        (token, keeping(30, None), 130, true),
        (token, keeping(30, Some(3600)), 130, true),
        (subject, keeping(30, Some(3600)), 130, false),
        (subject, keeping(30, Some(3600)), 3729, false),
        (subject, keeping(30, Some(3600)), 3730, true),
        (subject, keeping(30, None), i64::from(i32::MAX), false),
        (
            for_good,
            keeping(0, Some(0)),
            LAST_SECOND - 1_700_000_000,
            false,
        ),
    ];
    for (entry, retention, seconds, expected) in rows {
        assert_eq!(
            retention.has_ended(&entry, at(seconds)),
            expected,
            "{entry:?} {retention:?} {seconds}"
        );
    }
    // Not at the end of time either.
    assert!(!keeping(0, Some(0)).has_ended(&for_good, UnixTime::FAR_FUTURE));
}

#[test]
fn a_sweep_forgets_what_has_ended_and_frees_its_memory() {
    let mut store = Store::new(KEY);
    for number in 0..50_000 {
        let ends = if number % 10 == 0 { 1000 } else { 10 };
        store.insert(numbered(number, at(ends)));
    }
    let full = store.bytes();
    let retention = keeping(0, None);
    store.sweep_all(&retention, at(9));
    assert_eq!((store.len(), store.bytes()), (50_000, full));
    store.sweep(3, &retention, at(10));
    let left = store.shard(3).count();
    assert!(left > 0 && store.len() < 50_000 && store.bytes() < full);
    assert!(store.shard(3).all(|entry| entry.time == at(1000)));
    store.sweep_all(&retention, at(10));
    assert_eq!(store.len(), 5000);
    assert!(store.bytes() < full / 5, "{} of {full}", store.bytes());
    for number in 0..50_000 {
        let entry = numbered(number, at(0));
        assert_eq!(store.holds_name_of(&entry), number % 10 == 0);
    }
    store.sweep_all(&retention, at(1000));
    assert!(store.is_empty());
    assert!(store.insert(numbered(1, at(0))));
}

#[test]
fn a_retention_covers_what_forgets_no_later() {
    let ranked = [
        keeping(0, Some(60)),
        keeping(30, Some(60)),
        keeping(30, Some(3600)),
        keeping(30, None),
    ];
    for (i, longer) in ranked.iter().enumerate() {
        for (j, shorter) in ranked.iter().enumerate() {
            assert_eq!(longer.covers(shorter), i >= j, "{longer:?} {shorter:?}");
            let longest = ranked[i.max(j)];
            assert_eq!(longer.union(shorter), longest);
        }
    }
    // Neither covers the other; both together do.
    let (a, b) = (keeping(60, Some(60)), keeping(30, None));
    assert!(!a.covers(&b) && !b.covers(&a));
    let both = a.union(&b);
    assert_eq!(both, keeping(60, None));
    assert!(both.covers(&a) && both.covers(&b));
}

// === bytes ===

#[test]
fn an_entry_survives_as_bytes() {
    for time in [
        at(0),
        at(-1),
        UnixTime::FAR_PAST,
        UnixTime::FAR_FUTURE,
        UnixTime::from_micros(-1),
    ] {
        for entry in [KEY.token("t", time), KEY.subject("s", time)] {
            assert_eq!(Entry::from_bytes(&entry.to_bytes()), Some(entry));
        }
    }
    assert_eq!(Entry::from_bytes(&EMPTY.to_bytes()), None);
    assert_eq!(Entry::from_bytes(&[0; Entry::BYTES]), None);
}

#[test]
fn what_is_secret_is_not_printed() {
    let store = store(&[KEY.token("jti-7", at(0))]);
    assert_eq!(format!("{KEY:?}"), "DigestKey");
    assert_eq!(format!("{store:?}"), "Store { len: 1, .. }");
}
