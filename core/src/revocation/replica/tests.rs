#![allow(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::*;
use crate::limits::REVOCATION_ENTRIES;
use crate::revocation::poll::{Change, Progress, Update};
use crate::revocation::shared_layout::{Buffer, RING, SEGMENT_ENTRIES};
use crate::revocation::store::SHARDS;
use crate::revocation::{RevocationSubject, Unpublished};

const KEY: [u8; 16] = [7; 16];
const RETENTION: Retention = Retention {
    clock_tolerance: Duration::ZERO,
    max_lifetime: None,
};

/// The head, and two buffers with a chunk and a segment for each shard.
const KEYS_PER_LIST: usize = 1 + 4 * SHARDS;

fn is_reset(update: &Update) -> bool {
    matches!(update.change, Change::Reset(_))
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_secs(1_700_000_000 + seconds)
}

fn replica() -> ListReplica {
    ListReplica::new(Kind::Tokens, RETENTION)
}

/// The keys as the host keeps them.
#[derive(Default)]
struct Shared {
    values: HashMap<SharedKey, (Vec<u8>, u32)>,
    cas: u32,
    written: usize,
}

impl Shared {
    fn read(&self, key: SharedKey) -> Option<&[u8]> {
        let (bytes, _) = self.values.get(&key)?;
        Some(bytes.as_slice()).filter(|bytes| !bytes.is_empty())
    }

    fn write(&mut self, key: SharedKey, bytes: Vec<u8>) {
        self.cas += 1;
        self.written += bytes.len();
        self.values.insert(key, (bytes, self.cas));
    }

    fn number(&self) -> u32 {
        self.values.get(&SharedKey::Head).map_or(0, |(_, cas)| *cas)
    }

    fn head(&self) -> Option<&[u8]> {
        self.read(SharedKey::Head)
    }
}

/// Reads at most so many keys; whether there is nothing left to read.
fn follow_some(replica: &mut ListReplica, shared: &Shared, keys: usize, now: UnixTime) -> bool {
    replica.refresh();
    for _ in 0..keys {
        let Some(key) = replica.wants() else {
            return true;
        };
        replica.feed(shared.read(key), now);
    }
    replica.wants().is_none()
}

/// Reads all there is, and says in how many keys.
fn follow(replica: &mut ListReplica, shared: &Shared) -> usize {
    replica.refresh();
    for read in 0.. {
        // Four attempts at a head, all chunks, the head again and all of the journal.
        assert!(read <= 4 * (2 + SHARDS + RING as usize), "it never ends");
        let Some(key) = replica.wants() else {
            return read;
        };
        replica.feed(shared.read(key), at(0));
    }
    unreachable!("the range has no end")
}

/// Who writes: another one each time.
fn writer() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static LAST: AtomicU64 = AtomicU64::new(1);
    LAST.fetch_add(1, Ordering::Relaxed)
}

fn acquire(
    replica: &mut ListReplica,
    shared: &mut Shared,
    update: Update,
    now: UnixTime,
) -> Result<(), Unpublished> {
    let mark = replica.publish(update, shared.head(), writer(), now, now)?;
    shared.write(SharedKey::Head, mark);
    Ok(())
}

fn write_all(replica: &mut ListReplica, shared: &mut Shared) -> usize {
    for count in 0.. {
        assert!(replica.is_writer(shared.head()));
        let Some(write) = replica.next_write(at(0)) else {
            return count;
        };
        shared.write(write.key, write.bytes);
    }
    unreachable!("the range has no end")
}

fn publish(
    replica: &mut ListReplica,
    shared: &mut Shared,
    update: Update,
) -> Result<usize, Unpublished> {
    acquire(replica, shared, update, at(0))?;
    Ok(write_all(replica, shared))
}

/// The whole list.
fn whole(names: impl IntoIterator<Item = u64>, cursor: &str) -> Update {
    let key = DigestKey::new(KEY);
    let mut store = Store::new(key.clone());
    for name in names {
        store.insert(entry(&key, name));
    }
    Update {
        key,
        retention: RETENTION,
        since: None,
        cursor: cursor.into(),
        change: Change::Reset(store),
    }
}

/// What is new since this replica's last.
fn new(replica: &ListReplica, names: impl IntoIterator<Item = u64>, cursor: &str) -> Update {
    let head = &replica.held.as_ref().expect("a list").head;
    let entries = names.into_iter().map(|name| entry(&head.key, name));
    Update {
        key: head.key.clone(),
        retention: head.retention,
        since: Some(head.cursor.clone()),
        cursor: cursor.into(),
        change: Change::More(entries.collect()),
    }
}

fn entry(key: &DigestKey, name: u64) -> Entry {
    key.token(&name.to_string(), UnixTime::FAR_FUTURE)
}

fn has(replica: &ListReplica, name: u64) -> bool {
    has_token(replica, &name.to_string())
}

fn has_token(replica: &ListReplica, jti: &str) -> bool {
    let store = replica.store().expect("a list");
    store.revokes(&RevocationSubject {
        token_id: Some(jti),
        subject: None,
        clients: &[],
        issued_at: None,
    })
}

/// Panics unless the replica has these names, and as many in all. Of many names it asks for some.
fn assert_has(replica: &ListReplica, names: std::ops::Range<u64>) {
    let held = replica.store().expect("a list").len() as u64;
    assert_eq!(held, names.end - names.start);
    assert_has_all(replica, names);
}

fn assert_has_all(replica: &ListReplica, names: std::ops::Range<u64>) {
    let step = 1 + (names.end - names.start) as usize / 2000;
    let last = names.end.checked_sub(1).filter(|last| *last >= names.start);
    let asked = names.step_by(step).chain(last);
    let missing: Vec<u64> = asked.filter(|name| !has(replica, *name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn assert_in_step(replica: &ListReplica) {
    assert!(replica.in_step().is_some(), "{:?}", replica.task);
}

// === publishing and following ===

#[test]
fn nothing_is_there_before_the_first_list() {
    let (shared, mut a) = (Shared::default(), replica());
    assert_eq!(follow(&mut a, &shared), 1);
    assert!(a.store().is_none() && a.as_of().is_none());
    let poll = a.poll([1; 16]);
    assert_eq!(poll.since(), None);
    // Nor is there anything to write.
    assert!(a.next_write(at(0)).is_none());
    assert!(!a.is_writer(None));
}

#[test]
fn a_list_gets_from_one_to_all() {
    let mut shared = Shared::default();
    let [mut a, mut b, mut late] = [(); 3].map(|()| replica());
    follow(&mut a, &shared);
    publish(&mut a, &mut shared, whole(0..1000, "1")).expect("the first list");
    assert_has(&a, 0..1000);
    assert_in_step(&a);
    assert_eq!(a.poll([1; 16]).since().as_deref(), Some("1"));

    follow(&mut b, &shared);
    assert_has(&b, 0..1000);
    assert_eq!(b.as_of(), Some(at(0)));
    // Whoever is in step reads the head alone.
    assert_eq!(follow(&mut b, &shared), 1);

    // Any of them may go on.
    let update = new(&b, 1000..1100, "2");
    let writes = publish(&mut b, &mut shared, update).expect("what is new");
    assert!(writes <= 4, "{writes} keys for a hundred entries");
    let reads = follow(&mut a, &shared);
    assert!(reads <= 3, "{reads} keys for a hundred entries");
    for replica in [&a, &b] {
        assert_has(replica, 0..1100);
        assert_in_step(replica);
        assert_eq!(replica.poll([1; 16]).since().as_deref(), Some("2"));
    }
    follow(&mut late, &shared);
    assert_has(&late, 0..1100);
    assert_in_step(&late);
}

#[test]
fn what_brings_nothing_new_still_says_as_of_when() {
    let mut shared = Shared::default();
    let (mut a, mut b) = (replica(), replica());
    publish(&mut a, &mut shared, whole(0..10, "1")).expect("the first list");
    follow(&mut b, &shared);
    for (names, cursor) in [(0..0, "1"), (3..7, "2")] {
        let update = new(&a, names, cursor);
        // Another time than the first list has, and a time that has come.
        let later = at(-60);
        let mark = a.publish(update, shared.head(), writer(), later, later);
        shared.write(SharedKey::Head, mark.expect("a mark"));
        assert_eq!(write_all(&mut a, &mut shared), 1, "the head alone");
        follow(&mut b, &shared);
        for replica in [&a, &b] {
            assert_has(replica, 0..10);
            assert_eq!(replica.as_of(), Some(later));
            assert_eq!(replica.poll([1; 16]).since().as_deref(), Some(cursor));
        }
    }
}

#[test]
fn a_reset_lifts_what_it_does_not_repeat_and_frees_the_old_list() {
    let mut shared = Shared::default();
    let (mut a, mut b) = (replica(), replica());
    publish(&mut a, &mut shared, whole(0..5000, "1")).expect("the first list");
    for round in 1..=3 {
        follow(&mut b, &shared);
        let update = new(&b, 5000 * round..5000 * round + 10, "n");
        publish(&mut b, &mut shared, update).expect("what is new");
        follow(&mut a, &shared);
        let names = 5000 * round..5000 * round + 100;
        publish(&mut a, &mut shared, whole(names.clone(), "r")).expect("a reset");
        follow(&mut b, &shared);
        for replica in [&a, &b] {
            assert_has(replica, names.clone());
            assert_in_step(replica);
        }
        let head = a.seen_head().expect("a head");
        let keys: HashSet<SharedKey> = head.keys().into_iter().chain([SharedKey::Head]).collect();
        for (key, (bytes, _)) in &shared.values {
            assert_eq!(bytes.is_empty(), !keys.contains(key), "{key}");
        }
    }
    // A list may be empty, too.
    publish(&mut a, &mut shared, whole(0..0, "e")).expect("a reset");
    follow(&mut b, &shared);
    assert_has(&b, 0..0);
    assert_in_step(&b);
}

/// While a list is replaced, and while a worker reads the new one, the old one serves.
#[test]
fn the_old_list_serves_until_all_of_the_new_one_is_there() {
    let mut shared = Shared::default();
    let (mut a, mut b) = (replica(), replica());
    publish(&mut a, &mut shared, whole(0..1000, "1")).expect("the first list");
    follow(&mut b, &shared);
    acquire(&mut a, &mut shared, whole(500..2000, "2"), at(0)).expect("a mark");
    while let Some(write) = a.next_write(at(0)) {
        let is_head = write.key == SharedKey::Head;
        assert!(is_head || !shared.values.contains_key(&write.key));
        shared.write(write.key, write.bytes);
        if is_head {
            break;
        }
        assert_has(&a, 0..1000);
        follow(&mut b, &shared);
        assert_has(&b, 0..1000);
    }
    assert_has(&a, 500..2000);
    while !follow_some(&mut b, &shared, 1, at(0)) {
        let names = b.store().expect("a list").len();
        assert!(names == 1000 || b.wants().is_none());
    }
    assert_has(&b, 500..2000);
    write_all(&mut a, &mut shared);
}

#[test]
fn a_journal_goes_round_its_ring() {
    let mut shared = Shared::default();
    let [mut a, mut near, mut far, mut new_one] = [(); 4].map(|()| replica());
    publish(&mut a, &mut shared, whole(0..1000, "0")).expect("the first list");
    for replica in [&mut near, &mut far] {
        follow(replica, &shared);
    }
    let round = RING * SEGMENT_ENTRIES;
    let (mut end, mut step) = (1000, 0);
    while end < 1000 + round + round / 4 {
        step += 1;
        // Updates of any size: less than a segment, exactly to its end, and several at once.
        let size = match step % 4 {
            0 => SEGMENT_ENTRIES - (end - 1000) % SEGMENT_ENTRIES,
            1 => 100,
            2 => 3 * SEGMENT_ENTRIES,
            _ => 12_345,
        };
        let update = new(&a, end..end + size, &step.to_string());
        publish(&mut a, &mut shared, update).expect("what is new");
        end += size;
        if step % 8 == 0 {
            let reads = follow(&mut near, &shared);
            assert!(reads < 2 + SHARDS / 4, "{reads} keys: it read the chunks");
            assert_eq!(near.store().map(Store::len), a.store().map(Store::len));
        }
    }
    for replica in [&mut near, &mut far, &mut new_one] {
        follow(replica, &shared);
        assert_has(replica, 0..end);
        assert_in_step(replica);
    }
    assert_has(&a, 0..end);
    assert!(shared.values.len() <= KEYS_PER_LIST);
}

/// One update that is longer than the ring.
#[test]
fn an_update_may_be_longer_than_the_ring() {
    let mut shared = Shared::default();
    let [mut a, mut behind, mut new_one] = [(); 3].map(|()| replica());
    publish(&mut a, &mut shared, whole(0..10, "0")).expect("the first list");
    follow(&mut behind, &shared);
    let end = 10 + RING * SEGMENT_ENTRIES + 5000;
    let update = new(&a, 10..end, "1");
    publish(&mut a, &mut shared, update).expect("what is new");
    let update = new(&a, end..end + 10, "2");
    publish(&mut a, &mut shared, update).expect("what is new");
    for replica in [&mut behind, &mut new_one] {
        follow(replica, &shared);
        assert_has(replica, 0..end + 10);
        assert_in_step(replica);
    }
}

#[test]
fn all_keys_differ_and_are_counted() {
    let buffers = [Buffer::A, Buffer::B];
    let chunks =
        buffers.map(|buffer| (0..SHARDS).map(move |shard| SharedKey::Chunk { buffer, shard }));
    let segments =
        buffers.map(|buffer| (0..SHARDS).map(move |index| SharedKey::Journal { buffer, index }));
    let all = chunks.into_iter().flatten();
    let all = all
        .chain(segments.into_iter().flatten())
        .chain([SharedKey::Head]);
    let keys: HashSet<String> = all.map(|key| key.to_string()).collect();
    assert_eq!(keys.len(), KEYS_PER_LIST);
}

// === what it costs ===

#[test]
fn an_update_costs_what_it_brings_however_long_the_list_is() {
    const UPDATES: usize = 1000;
    const ENTRIES: u64 = 100;
    let mut shared = Shared::default();
    let mut a = replica();
    let mut end = 200_000;
    publish(&mut a, &mut shared, whole(0..end, "0")).expect("the first list");
    let before = shared.written;
    // 25 bytes an entry, in a key of its own for each of 128 tables.
    let chunk = 25 * (end as usize + UPDATES * ENTRIES as usize) / SHARDS;
    let segment = 16 * SEGMENT_ENTRIES as usize;
    let mut most = 0;
    for step in 0..UPDATES {
        let before = shared.written;
        let update = new(&a, end..end + ENTRIES, &step.to_string());
        let writes = publish(&mut a, &mut shared, update).expect("what is new");
        assert!(writes <= 4, "{writes}");
        end += ENTRIES;
        most = most.max(shared.written - before);
    }
    let average = (shared.written - before) / UPDATES;
    println!("{average} bytes an update of {ENTRIES} entries, {most} at the most");
    // Half a segment on the average, and its share of a chunk.
    assert!(
        average < segment / 2 + 2048 + chunk / 20 + 1024,
        "{average}"
    );
    assert!(most < 2 * segment + chunk + 1024, "{most}");
    let mut late = replica();
    follow(&mut late, &shared);
    assert_eq!(late.store().map(Store::len), Some(end as usize));
}

#[test]
fn a_list_has_its_bound() {
    let (mut shared, mut a) = (Shared::default(), replica());
    publish(&mut a, &mut shared, whole(0..10, "0")).expect("the first list");
    let key = DigestKey::new(KEY);
    let mut update = new(&a, 0..0, "1");
    // What is on the list already does not count against it.
    update.change = Change::More(vec![entry(&key, 7); REVOCATION_ENTRIES]);
    publish(&mut a, &mut shared, update).expect("nothing new");
    assert_has(&a, 0..10);
    let mut update = new(&a, 0..0, "2");
    let beyond = REVOCATION_ENTRIES as u64 + 1;
    // Any number will do: they are counted and not stored.
    let unknown = (10..beyond).map(|number| (u128::from(number) << 65).to_le_bytes());
    let unknown = unknown.map(|bytes| Entry::from_bytes(&bytes).expect("an entry"));
    update.change = Change::More(unknown.collect());
    assert_eq!(
        publish(&mut a, &mut shared, update),
        Err(Unpublished::TooLong)
    );
    // It goes on with what it had.
    assert_has(&a, 0..10);
    let update = new(&a, 10..11, "2");
    publish(&mut a, &mut shared, update).expect("what is new");
}

// === what can go wrong ===

#[test]
fn who_loses_the_race_for_the_head_writes_nothing() {
    let mut shared = Shared::default();
    let (mut a, mut b) = (replica(), replica());
    publish(&mut a, &mut shared, whole(0..10, "0")).expect("the first list");
    follow(&mut b, &shared);
    let stale = new(&b, 10..20, "1");
    let number = shared.number();
    let update = new(&a, 10..30, "2");
    publish(&mut a, &mut shared, update).expect("what is new");
    // Where the host is asked to replace what it has not got any more, it refuses.
    assert_ne!(shared.number(), number);
    // And where the head was read anew, the replica sees that it is another.
    assert_eq!(
        publish(&mut b, &mut shared, stale),
        Err(Unpublished::Superseded)
    );
    let stale = new(&b, 10..20, "1");
    let lost = b.publish(stale, b.seen.clone().as_deref(), writer(), at(0), at(0));
    assert!(lost.is_ok(), "it knows no better");
    assert!(!b.is_writer(shared.head()));
    b.abandon();
    assert!(b.next_write(at(0)).is_none());
    // Not in step with anything: the next poll asks for all, or follows first.
    assert_eq!(b.poll([1; 16]).since(), None);
    assert_has(&b, 0..10);
    assert_eq!(follow(&mut b, &shared), 2, "the head and what is new");
    assert_has(&b, 0..30);
    assert_in_step(&b);
}

#[test]
fn an_update_for_another_list_is_superseded() {
    let mut shared = Shared::default();
    let (mut a, mut b) = (replica(), replica());
    publish(&mut a, &mut shared, whole(0..10, "0")).expect("the first list");
    follow(&mut b, &shared);
    let head = |shared: &Shared| shared.head().map(<[u8]>::to_vec);
    let refused = |a: &mut ListReplica, update: Update, head: Option<Vec<u8>>| {
        let refused = a.publish(update, head.as_deref(), writer(), at(0), at(0));
        assert_eq!(refused, Err(Unpublished::Superseded));
    };
    let mut update = new(&a, 10..20, "1");
    update.since = Some("another".into());
    refused(&mut a, update, head(&shared));
    let mut update = new(&a, 10..20, "1");
    update.key = DigestKey::new([8; 16]);
    refused(&mut a, update, head(&shared));
    let mut update = whole(10..20, "1");
    update.retention.max_lifetime = Some(Duration::from_secs(1));
    refused(&mut a, update, head(&shared));
    refused(&mut a, whole(0..1, "1"), None);
    refused(&mut a, whole(0..1, "1"), Some(b"junk".to_vec()));
    // Nor in the middle of following or publishing.
    b.refresh();
    refused(&mut b, whole(0..1, "1"), head(&shared));
    let update = new(&a, 10..20, "1");
    acquire(&mut a, &mut shared, update, at(0)).expect("a mark");
    refused(&mut a, whole(0..1, "1"), head(&shared));
    write_all(&mut a, &mut shared);
    assert_has(&a, 0..20);
}

/// A worker that took longer than its lease, after each of its writes.
#[test]
fn who_is_taken_over_stops_and_reads_anew() {
    for is_reset in [false, true] {
        // Within the chunks, around the head, and while the old list is freed.
        for writes in [0, 1, 2, 3, 4, 5, 60, 127, 128, 129, 130, 200, 1000] {
            let mut shared = Shared::default();
            let [mut slow, mut fast, mut other] = [(); 3].map(|()| replica());
            publish(&mut slow, &mut shared, whole(0..2100, "0")).expect("the first list");
            follow(&mut fast, &shared);
            follow(&mut other, &shared);
            let update = match is_reset {
                true => whole(0..4200, "slow"),
                false => new(&slow, 2100..4200, "slow"),
            };
            acquire(&mut slow, &mut shared, update, at(0)).expect("a mark");
            let mut is_done = false;
            for _ in 0..writes {
                let Some(write) = slow.next_write(at(0)) else {
                    is_done = true;
                    break;
                };
                shared.write(write.key, write.bytes);
            }
            assert_eq!(slow.is_writer(shared.head()), !is_done);
            // The other one may have what was not published, but it never misses anything.
            follow(&mut fast, &shared);
            assert_has_all(&fast, 0..2100);
            // The source has gone on meanwhile.
            let from = fast.store().expect("a list").len() as u64;
            let update = new(&fast, from..5000, "fast");
            acquire(&mut fast, &mut shared, update, at(0)).expect("a mark");
            assert!(!slow.is_writer(shared.head()), "after {writes} writes");
            slow.abandon();
            write_all(&mut fast, &mut shared);
            for replica in [&mut slow, &mut other] {
                follow(replica, &shared);
                assert_has(replica, 0..5000);
                assert_in_step(replica);
            }
        }
    }
}

/// The VM of whoever wrote is gone, and with it what it had begun.
#[test]
fn what_a_lost_writer_left_is_taken_up() {
    let (mut shared, mut lost) = (Shared::default(), replica());
    acquire(&mut lost, &mut shared, whole(0..1000, "0"), at(0)).expect("a mark");
    let first = lost.next_write(at(0)).expect("a chunk");
    shared.write(first.key, first.bytes);
    drop(lost);
    let (mut a, mut b) = (replica(), replica());
    follow(&mut a, &shared);
    assert!(a.store().is_none());
    publish(&mut a, &mut shared, whole(0..10, "1")).expect("the first list");
    follow(&mut b, &shared);
    assert_has(&b, 0..10);
    assert_in_step(&b);
}

/// Whoever publishes goes on between any two reads of a follower.
#[test]
fn a_follower_that_is_overtaken_misses_nothing() {
    for is_new in [false, true] {
        let mut shared = Shared::default();
        let (mut a, mut b) = (replica(), replica());
        publish(&mut a, &mut shared, whole(0..1000, "0")).expect("the first list");
        if !is_new {
            follow(&mut b, &shared);
        }
        let mut end = 1000;
        for step in 0..150 {
            let size = if step % 10 == 0 { 3000 } else { 50 };
            let update = new(&a, end..end + size, &step.to_string());
            publish(&mut a, &mut shared, update).expect("what is new");
            end += size;
            follow_some(&mut b, &shared, 1, at(0));
            if let Some(held) = b.in_step().map(|held| held.store.len()) {
                // As of some head that it has read.
                assert_has(&b, 0..held as u64);
            }
        }
        while !follow_some(&mut b, &shared, 1, at(0)) {}
        follow(&mut b, &shared);
        assert_has(&b, 0..end);
        assert_in_step(&b);
    }
}

/// Whoever publishes goes round the whole ring while a follower stands in the middle of it.
#[test]
fn a_follower_that_is_lapped_starts_over() {
    let mut shared = Shared::default();
    let (mut a, mut b) = (replica(), replica());
    publish(&mut a, &mut shared, whole(0..10, "0")).expect("the first list");
    follow(&mut b, &shared);
    let known = 10 + 3 * SEGMENT_ENTRIES;
    let update = new(&a, 10..known, "1");
    publish(&mut a, &mut shared, update).expect("what is new");
    assert!(!follow_some(&mut b, &shared, 2, at(0)), "segments are left");
    assert!(matches!(
        b.wants(),
        Some(SharedKey::Journal { index: 1, .. })
    ));
    let end = known + RING * SEGMENT_ENTRIES;
    let update = new(&a, known..end, "2");
    publish(&mut a, &mut shared, update).expect("what is new");
    b.feed(shared.read(b.wants().expect("a key")), at(0));
    assert!(
        matches!(b.wants(), Some(SharedKey::Chunk { .. })),
        "{:?}",
        b.wants()
    );
    while !follow_some(&mut b, &shared, 16, at(0)) {}
    assert_has(&b, 0..end);
    assert_in_step(&b);
}

/// A reset between any two reads: what is read of two lists is never taken for one.
#[test]
fn a_follower_never_mixes_two_lists() {
    let mut shared = Shared::default();
    let (mut a, mut b) = (replica(), replica());
    publish(&mut a, &mut shared, whole(0..300, "0")).expect("the first list");
    follow(&mut b, &shared);
    let mut lists = Vec::new();
    lists.push(0..300_u64);
    for round in 1..60_u64 {
        let reads = round as usize * 3;
        follow_some(&mut b, &shared, reads, at(0));
        let held = b.store().expect("a list").len();
        assert_eq!(held, 300);
        let is_one = |names: &std::ops::Range<u64>| names.clone().all(|name| has(&b, name));
        assert!(lists.iter().any(is_one), "in round {round}");
        let names = round * 1000..round * 1000 + 300;
        publish(&mut a, &mut shared, whole(names.clone(), "r")).expect("a reset");
        lists.push(names);
    }
    while !follow_some(&mut b, &shared, 1, at(0)) {}
    follow(&mut b, &shared);
    assert_has(&b, 59_000..59_300);
    assert_in_step(&b);
}

#[test]
fn a_damaged_value_counts_as_absent() {
    let mut shared = Shared::default();
    let mut a = replica();
    publish(&mut a, &mut shared, whole(0..3000, "0")).expect("the first list");
    let update = new(&a, 3000..8000, "1");
    publish(&mut a, &mut shared, update).expect("what is new");
    let keys: Vec<SharedKey> = shared.values.keys().copied().collect();
    let mut blind = 0;
    for (turn, key) in keys.into_iter().enumerate() {
        let (good, number) = shared.values.get(&key).cloned().expect("a key");
        let bad = match turn % 5 {
            0 => Vec::new(),
            1 => b"junk".to_vec(),
            2 => crate::fetch_lease::seal(b"\x04something else"),
            3 => good[..good.len() - 1].to_vec(),
            _ => {
                let mut flipped = good.clone();
                let middle = flipped.len() / 2;
                flipped[middle] ^= 1;
                flipped
            }
        };
        shared.values.insert(key, (bad, number));
        let mut b = replica();
        follow(&mut b, &shared);
        // All or nothing. (Of the journal only the segments count that no chunk covers.)
        match b.store() {
            Some(_) => assert_has(&b, 0..8000),
            None => blind += 1,
        }
        // And whoever has none polls for the whole of it, which heals.
        assert_eq!(b.store().is_none(), b.poll([1; 16]).since().is_none());
        // Whoever has the list keeps it.
        follow(&mut a, &shared);
        assert_has(&a, 0..8000);
        shared.values.insert(key, (good, number));
    }
    assert!(blind > SHARDS, "damage was seen");
    let mut b = replica();
    follow(&mut b, &shared);
    assert_has(&b, 0..8000);
    shared.write(SharedKey::Head, b"junk".to_vec());
    let mut c = replica();
    follow(&mut c, &shared);
    publish(&mut c, &mut shared, whole(0..9000, "2")).expect("the list anew");
    for replica in [&mut a, &mut b] {
        follow(replica, &shared);
        assert_has(replica, 0..9000);
        assert_in_step(replica);
    }
}

#[test]
fn a_list_of_another_kind_is_none() {
    let mut shared = Shared::default();
    let (mut a, mut keys) = (replica(), ListReplica::new(Kind::ApiKeys, RETENTION));
    publish(&mut a, &mut shared, whole(0..10, "0")).expect("the first list");
    follow(&mut keys, &shared);
    assert!(keys.store().is_none());

    let mut shared = Shared::default();
    let mut others = ListReplica::new(Kind::ApiKeys, RETENTION);
    let page = br#"{"cursor":"1","revoked":[{"key_id":"robot"}]}"#;
    let Ok(Progress::Complete(update)) = keys.poll([1; 16]).take(page, at(0)) else {
        panic!("a page of keys");
    };
    follow(&mut keys, &shared);
    publish(&mut keys, &mut shared, update).expect("the first list");
    follow(&mut others, &shared);
    let store = others.store().expect("a list");
    assert!(store.revokes_api_key("robot"));
    assert!(!has_token(&others, "robot"));
    follow(&mut a, &shared);
    assert!(a.in_step().is_none());
    assert_has(&a, 0..10);
}

// === forgetting ===

/// Two providers with one list, of which one forgets later.
#[test]
fn the_longest_retention_counts_for_all() {
    let keeping = |tolerance: u64, longest: u64| Retention {
        clock_tolerance: Duration::from_secs(tolerance),
        max_lifetime: Some(Duration::from_secs(longest)),
    };
    let union = keeping(60, 3600);
    let mut shared = Shared::default();
    let mut a = ListReplica::new(Kind::Tokens, keeping(0, 3600));
    let mut b = ListReplica::new(Kind::Tokens, keeping(60, 600));
    let page = |cursor: &str| format!(r#"{{"cursor":"{cursor}","revoked":[]}}"#);
    let poll = |replica: &ListReplica, cursor: &str| match replica
        .poll([1; 16])
        .take(page(cursor).as_bytes(), at(0))
    {
        Ok(Progress::Complete(update)) => update,
        other => panic!("{other:?}"),
    };
    let update = poll(&a, "1");
    publish(&mut a, &mut shared, update).expect("the first list");
    follow(&mut b, &shared);
    // That list forgets too soon for it.
    assert!(b.store().is_none());
    let update = poll(&b, "2");
    assert!(is_reset(&update));
    assert_eq!(update.retention, union);
    publish(&mut b, &mut shared, update).expect("a list for both");
    for replica in [&mut a, &mut b] {
        follow(replica, &shared);
        assert_in_step(replica);
        let update = poll(replica, "3");
        assert!(!is_reset(&update));
        assert_eq!(update.retention, union);
    }
}

#[test]
fn a_list_forgets_what_has_ended_on_every_worker() {
    let mut shared = Shared::default();
    let (mut a, mut b) = (replica(), replica());
    publish(&mut a, &mut shared, whole(0..0, "0")).expect("the first list");
    follow(&mut b, &shared);
    let key = DigestKey::new(KEY);
    // Each entry ends a minute after it came: no round of the ring may keep more than its own.
    let (mut now, mut most) = (0, 0);
    let mut name = 0_u64;
    while name < (RING + RING / 4) * SEGMENT_ENTRIES {
        let mut update = new(&a, 0..0, &name.to_string());
        let fresh = (name..name + SEGMENT_ENTRIES).map(|n| key.token(&n.to_string(), at(now + 60)));
        update.change = Change::More(fresh.collect());
        name += SEGMENT_ENTRIES;
        now += 60;
        let mark = a.publish(update, shared.head(), writer(), at(now), at(now));
        shared.write(SharedKey::Head, mark.expect("a mark"));
        while let Some(write) = a.next_write(at(now)) {
            shared.write(write.key, write.bytes);
        }
        while !follow_some(&mut b, &shared, 16, at(now)) {}
        most = most.max(a.store().map_or(0, Store::len));
        assert_eq!(a.store().map(Store::len), b.store().map(Store::len));
    }
    let round = (RING * SEGMENT_ENTRIES) as usize;
    assert!(most <= round, "{most} entries of which few have not ended");
}

// === everything at once ===

/// SplitMix64: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A list as its authority keeps it. Each time that it starts anew it repeats only some names.
struct Authority {
    /// The names of each epoch, in the order in which they came.
    epochs: Vec<Vec<u64>>,
    next: u64,
}

impl Authority {
    fn add(&mut self, count: u64) {
        let names = self.next..self.next + count;
        self.next += count;
        self.epochs.last_mut().expect("an epoch").extend(names);
    }

    fn start_anew(&mut self) {
        let old = self.epochs.last().expect("an epoch");
        let kept = old.iter().copied().filter(|name| name % 3 == 0).collect();
        self.epochs.push(kept);
    }

    /// `{"cursor": "epoch-count", …}`
    fn page(&self, since: Option<&str>) -> String {
        let epoch = self.epochs.len() - 1;
        let names = &self.epochs[epoch];
        let known = since.and_then(|since| {
            let (of, count) = since.split_once('-')?;
            let count: usize = count.parse().ok()?;
            (of == epoch.to_string()).then_some(count)
        });
        let news = names[known.unwrap_or(0)..].iter();
        let entries: Vec<String> = news.map(|n| format!(r#"{{"jti":"{n}"}}"#)).collect();
        let reset = if known.is_none() && since.is_some() {
            r#","reset":true"#
        } else {
            ""
        };
        format!(
            r#"{{"cursor":"{epoch}-{}","revoked":[{}]{reset}}}"#,
            names.len(),
            entries.join(",")
        )
    }

    /// How many names a list has as of this cursor, and all those of its epoch.
    fn as_of(&self, cursor: &str) -> (usize, &[u64]) {
        let (epoch, count) = cursor.split_once('-').expect("a cursor");
        let names = &self.epochs[epoch.parse::<usize>().expect("an epoch")];
        (count.parse().expect("a count"), names)
    }

    /// Panics where a list lacks what it says that it has, or has what its authority never said.
    fn check(&self, replica: &ListReplica, what: &str) {
        let Some(held) = &replica.held else {
            return;
        };
        let (sure, all) = self.as_of(&held.head.cursor);
        let (mut missing, mut known) = (0, 0);
        for (place, name) in all.iter().enumerate() {
            match has(replica, *name) {
                true => known += 1,
                false if place < sure => missing += 1,
                false => {}
            }
        }
        assert_eq!(missing, 0, "{what}: at {}", held.head.cursor);
        assert_eq!(
            known,
            held.store.len(),
            "{what}: at {} with what is on no list",
            held.head.cursor
        );
    }
}

/// Workers that follow, poll, publish, stop half-way, take over and lose their VMs, while the
/// authority goes on and keys are damaged.
#[test]
fn whatever_happens_no_list_lacks_what_it_says_that_it_has() {
    const WORKERS: usize = 3;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..12 {
        let mut random = Random(seed);
        let mut shared = Shared::default();
        let mut authority = Authority {
            epochs: vec![Vec::new()],
            next: 0,
        };
        let mut workers: Vec<ListReplica> = (0..WORKERS).map(|_| replica()).collect();
        let mut polls: Vec<Option<Poll>> = (0..WORKERS).map(|_| None).collect();
        let mut checked = vec![None; WORKERS];
        for step in 0..300 {
            let worker = random.below(WORKERS as u64) as usize;
            let replica = &mut workers[worker];
            let mut note = |what| *seen.entry(what).or_insert(0) += 1;
            match random.below(100) {
                0..15 => authority.add(random.below(60)),
                15..16 => authority.add(random.below(3 * SEGMENT_ENTRIES)),
                16..19 => authority.start_anew(),
                19..45 => {
                    let keys = random.below(200) as usize;
                    follow_some(replica, &shared, keys, at(0));
                }
                45..60 => {
                    if polls[worker].is_none() {
                        while !follow_some(replica, &shared, 16, at(0)) {}
                        let key = random.next().to_le_bytes();
                        polls[worker] = Some(replica.poll([key, key].concat().try_into().unwrap()));
                    }
                }
                60..75 => {
                    let Some(poll) = polls[worker].take() else {
                        continue;
                    };
                    let page = authority.page(poll.since().as_deref());
                    let Ok(Progress::Complete(update)) = poll.take(page.as_bytes(), at(0)) else {
                        panic!("{page}");
                    };
                    note(match acquire(replica, &mut shared, update, at(0)) {
                        Ok(()) => "acquired",
                        Err(Unpublished::Superseded) => "superseded",
                        Err(Unpublished::TooLong) => panic!("too long"),
                    });
                }
                // As the shell does it: first it makes sure that its mark is still there.
                75..95 => {
                    if !replica.is_writer(shared.head()) {
                        let wrote = matches!(replica.task, Task::Write(_) | Task::Acquire { .. });
                        if wrote {
                            replica.abandon();
                            note("taken over");
                        }
                        continue;
                    }
                    for _ in 0..random.below(250) {
                        let Some(write) = replica.next_write(at(0)) else {
                            note("published");
                            break;
                        };
                        shared.write(write.key, write.bytes);
                    }
                }
                95..97 => {
                    *replica = self::replica();
                    polls[worker] = None;
                    note("lost its VM");
                }
                _ => {
                    let mut keys: Vec<SharedKey> = shared.values.keys().copied().collect();
                    keys.sort_by_key(SharedKey::to_string);
                    if let Some(key) = keys.get(random.below(200) as usize)
                        && let Some((bytes, _)) = shared.values.get_mut(key)
                        && !bytes.is_empty()
                    {
                        let at = random.below(bytes.len() as u64) as usize;
                        bytes[at] ^= 1;
                        note("damaged");
                    }
                }
            }
            let list = workers[worker].held.as_ref().map(|held| {
                let head = &held.head;
                (head.generation, head.cursor.clone(), held.store.len())
            });
            if checked[worker] != list {
                authority.check(&workers[worker], &format!("seed {seed}, step {step}"));
                checked[worker] = list;
            }
        }
        assert!(shared.values.len() <= KEYS_PER_LIST);

        // Whatever happened, one undisturbed poll each is enough. The first may find that it is
        // overtaken, by itself.
        for replica in &mut workers {
            replica.abandon();
        }
        for attempt in 0.. {
            assert!(attempt < 3, "seed {seed}: it does not heal");
            let replica = &mut workers[0];
            follow(replica, &shared);
            let poll = replica.poll([9; 16]);
            let page = authority.page(poll.since().as_deref());
            let Ok(Progress::Complete(update)) = poll.take(page.as_bytes(), at(0)) else {
                panic!("{page}");
            };
            if publish(replica, &mut shared, update).is_ok() {
                break;
            }
        }
        let names = authority.epochs.last().expect("an epoch");
        for (number, replica) in workers.iter_mut().enumerate() {
            let what = format!("seed {seed}, worker {number} in the end");
            follow(replica, &shared);
            if replica.in_step().is_none() {
                // Damage that nobody overwrote: it has to poll for itself.
                seen.entry("blind").and_modify(|n| *n += 1).or_insert(1);
                continue;
            }
            authority.check(replica, &what);
            assert_eq!(replica.store().map(Store::len), Some(names.len()), "{what}");
        }
    }
    println!("{seen:?}");
    for what in [
        "acquired",
        "superseded",
        "published",
        "taken over",
        "lost its VM",
        "damaged",
    ] {
        assert!(seen.get(what).is_some_and(|n| *n >= 20), "{what}: {seen:?}");
    }
}
