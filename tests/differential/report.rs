//! What a comparison found: counts for each class, and the faults that fail it.

use std::collections::BTreeMap;

use super::random;

/// Faults of one kind that are told in full.
const TOLD: usize = 10;

pub struct Report {
    about: &'static str,
    /// Whether enough cases are drawn that each class must come up.
    whole: bool,
    classes: Vec<(&'static str, usize)>,
    agreements: usize,
    faults: BTreeMap<String, (usize, Vec<String>)>,
}

impl Report {
    pub fn of(
        about: &'static str,
        cases: usize,
        classes: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        println!("{about}: {cases} cases of seed {}", random::seed());
        Self {
            about,
            whole: cases >= 500,
            classes: classes.into_iter().map(|name| (name, 0)).collect(),
            agreements: 0,
            faults: BTreeMap::new(),
        }
    }

    pub fn agreement(&mut self) {
        self.agreements += 1;
    }

    pub fn disagreement(&mut self, class: usize) {
        self.classes[class].1 += 1;
    }

    pub fn fault(&mut self, kind: &str, case: &str) {
        let (count, told) = self.faults.entry(kind.to_owned()).or_default();
        *count += 1;
        if told.len() < TOLD {
            told.push(case.to_owned());
        }
    }

    /// Panics where there was a fault, or a class that nothing fell into: a line of the table that nobody can check.
    pub fn finish(self) {
        println!("{}: both agree on {}", self.about, self.agreements);
        for (name, count) in &self.classes {
            println!("{}: {count:6}  {name}", self.about);
        }
        let mut text = String::new();
        for (kind, (count, told)) in &self.faults {
            text.push_str(&format!("\n{count} times: {kind}\n"));
            for case in told {
                text.push_str(&format!("  {case}\n"));
            }
        }
        // What noise makes of a token depends on keys that are new in each run.
        let unseen = self
            .classes
            .iter()
            .filter(|(name, count)| self.whole && *count == 0 && !name.starts_with("noise"));
        for (name, _) in unseen {
            text.push_str(&format!("\nnever seen: {name}\n"));
        }
        assert!(
            text.is_empty(),
            "{}, seed {}:{text}",
            self.about,
            random::seed()
        );
    }
}
