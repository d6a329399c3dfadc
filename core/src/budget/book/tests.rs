#![allow(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use super::*;

fn book(name: &str, per: &[&str], seconds: u64, unit: Unit) -> BudgetBook {
    BudgetBook {
        name: name.into(),
        per: per.iter().map(|part| (*part).into()).collect(),
        window: Duration::from_secs(seconds),
        unit,
        table: BudgetTable::new(1),
    }
}

#[test]
fn budgets_differ_in_name_parts_window_and_unit() {
    let books = [
        book("daily", &["tenant"], 86_400, Unit::TotalTokens),
        book("hourly", &["tenant"], 86_400, Unit::TotalTokens),
        book("daily", &[], 86_400, Unit::TotalTokens),
        book("daily", &["tenant", "model"], 86_400, Unit::TotalTokens),
        book("daily", &["model", "tenant"], 86_400, Unit::TotalTokens),
        book("daily", &["tenantmodel"], 86_400, Unit::TotalTokens),
        book("daily", &["tenant"], 8_640, Unit::TotalTokens),
        book("daily", &["tenant"], 86_400, Unit::InputTokens),
        book("daily", &["tenant"], 86_400, Unit::OutputTokens),
        book("daily", &["tenant"], 86_400, Unit::Requests),
    ];
    let digests: BTreeSet<String> = books.iter().map(BudgetBook::digest).collect();
    assert_eq!(digests.len(), books.len());
    assert!(digests.iter().all(|digest| digest.len() == 32));
}

#[test]
fn another_size_is_the_same_budget() {
    let mut large = book("daily", &["tenant"], 60, Unit::Requests);
    let small = large.clone();
    large.table = BudgetTable::new(65_536);
    assert_eq!(large.digest(), small.digest());
    for caller in [0, 1 << 64, u128::MAX] {
        let buckets = [&large, &small].map(|book| book.table.bucket_of(caller));
        assert_eq!(buckets[0], buckets[1]);
    }
}

#[test]
fn there_are_places_for_as_many_callers_as_configured_and_at_most_twice() {
    for (configured, callers) in [
        (0, 1),
        (1, 1),
        (2, 2),
        (3, 3),
        (65_536, 65_536),
        (usize::MAX, BUDGET_CALLERS),
    ] {
        let places = BudgetTable::new(configured).places();
        // One more, for a place that a lost worker leaves empty.
        assert!(
            (callers + 1..=2 * callers).contains(&places),
            "{configured}: {places}"
        );
    }
}

#[test]
fn callers_are_spread_over_all_buckets() {
    let table = BudgetTable::new(65_536);
    let mut buckets = vec![0_u32; 2048];
    for n in 0..65_536_u32 {
        let caller = Digest::sha256(&n.to_le_bytes()).first_half();
        buckets[usize::try_from(table.bucket_of(caller)).unwrap()] += 1;
    }
    assert!(buckets.iter().all(|callers| (5..80).contains(callers)));
}
