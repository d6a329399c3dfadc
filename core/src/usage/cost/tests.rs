#![allow(clippy::panic)]

use super::*;

const ESTIMATE: Estimate = Estimate {
    input: 100,
    output: 1000,
};

const UNITS: [Unit; 4] = [
    Unit::InputTokens,
    Unit::OutputTokens,
    Unit::TotalTokens,
    Unit::Requests,
];

fn usage(input: u64, output: u64, total: u64) -> Usage {
    Usage {
        input,
        output,
        total,
    }
}

fn unknown(input: u64, output: u64, total: u64, events: u64) -> Outcome {
    Outcome::Unknown {
        named: usage(input, output, total),
        events,
    }
}

#[test]
fn each_unit_has_its_cost() {
    let most = u64::MAX;
    // Input, output, total, requests.
    let cases = [
        (Outcome::Nothing, [0, 0, 0, 0]),
        // What was used is not bounded by the estimate, and may be less.
        (Outcome::Used(usage(3, 4, 7)), [3, 4, 7, 1]),
        (Outcome::Used(usage(300, 4000, 5000)), [300, 4000, 5000, 1]),
        (Outcome::Used(usage(0, 0, 0)), [0, 0, 0, 1]),
        // The estimate is the largest.
        (Outcome::UNSAID, [100, 1000, 1100, 1]),
        (unknown(0, 0, 0, 1000), [100, 1000, 1100, 1]),
        (unknown(100, 1000, 1100, 0), [100, 1000, 1100, 1]),
        (unknown(25, 1, 26, 5), [100, 1000, 1100, 1]),
        // What was named is.
        (unknown(5000, 1, 5001, 7), [5000, 1000, 5001, 1]),
        (unknown(1, 5000, 5001, 7), [100, 5000, 5001, 1]),
        (unknown(0, 0, 5000, 7), [100, 1000, 5000, 1]),
        (unknown(101, 0, 101, 0), [101, 1000, 1100, 1]),
        // The events are: each is a token of output, beside the estimated input.
        (unknown(0, 0, 0, 1001), [100, 1001, 1101, 1]),
        (unknown(25, 1, 26, 3000), [100, 3000, 3100, 1]),
        (unknown(1000, 1, 1001, 3000), [1000, 3000, 3100, 1]),
        (unknown(0, 4000, 4000, 3950), [100, 4000, 4050, 1]),
        // Nothing overflows.
        (unknown(most, most, most, most), [most, most, most, 1]),
        (unknown(0, 0, 0, most), [100, most, most, 1]),
    ];
    for (outcome, expected) in cases {
        let costs = UNITS.map(|unit| cost(&outcome, unit, ESTIMATE));
        assert_eq!(costs, expected, "{outcome:?}");
    }
    let nothing = Estimate::default();
    assert_eq!(
        UNITS.map(|unit| cost(&Outcome::UNSAID, unit, nothing)),
        [0, 0, 0, 1]
    );
    let all = Estimate {
        input: most,
        output: most,
    };
    assert_eq!(
        UNITS.map(|unit| cost(&Outcome::UNSAID, unit, all)),
        [most, most, most, 1]
    );
}
