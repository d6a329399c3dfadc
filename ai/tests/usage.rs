//! Recorded answers of models, cut at every place.

use portcullis_core::api::Api;
use portcullis_core::usage::{Answer, Ending, Outcome, Usage};
use portcullis_testing::outside_data::corpus;
use serde_json::Value;

/// An answer with what has to be read from it.
struct Recording<'a> {
    id: &'a str,
    api: Option<Api>,
    status: u16,
    content_type: &'a [u8],
    body: &'a [u8],
    usage: Option<Usage>,
}

impl<'a> Recording<'a> {
    fn read(case: &'a Value) -> Self {
        let text = |name: &str| {
            case[name]
                .as_str()
                .unwrap_or_else(|| panic!("{name}: {case}"))
        };
        Recording {
            id: text("id"),
            api: Api::of_path(text("path")),
            status: u16::try_from(case["status"].as_u64().unwrap()).unwrap(),
            content_type: text("content_type").as_bytes(),
            body: text("response_body").as_bytes(),
            usage: usage(&case["expected_usage"]),
        }
    }

    /// What becomes of the answer in chunks of this size, and whether it was known before the end.
    fn outcome(&self, size: usize) -> (Outcome, bool) {
        let mut answer = Answer::new(self.api);
        let mut given = Vec::new();
        given.extend(answer.begins(self.status, Some(self.content_type), None, false));
        for chunk in self.body.chunks(size) {
            given.extend(answer.read(chunk, false));
        }
        let is_early = !given.is_empty();
        given.extend(answer.read(b"", true));
        given.extend(answer.ends(&Ending {
            details: b"via_upstream",
            is_upstream_reached: true,
            status: Some(self.status),
        }));
        assert_eq!(given.len(), 1, "{} by {size}: {given:?}", self.id);
        (given[0], is_early)
    }

    /// The events with data, counted by their lines: all recordings have one line an event.
    fn events(&self) -> u64 {
        let text = std::str::from_utf8(self.body).unwrap();
        let data = text.lines().filter(|line| line.starts_with("data:"));
        data.filter(|line| *line != "data: [DONE]").count() as u64
    }
}

fn usage(expected: &Value) -> Option<Usage> {
    let number = |name: &str| expected[name].as_u64();
    let sum = |names: &[&str]| names.iter().filter_map(|name| number(name)).sum();
    expected.as_object()?;
    let input = sum(&[
        "prompt_tokens",
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    ]);
    let output = sum(&["completion_tokens", "output_tokens"]);
    Some(Usage {
        input,
        output,
        total: number("total_tokens").unwrap_or(input + output),
    })
}

#[test]
fn recorded_usage_is_read_however_the_answer_is_cut() {
    let Some(corpus) = corpus("llm_usage.json") else {
        return;
    };
    let cases = corpus["cases"].as_array().expect("cases");
    let recordings: Vec<Recording<'_>> = cases.iter().map(Recording::read).collect();
    let (mut used, mut unsaid, mut refused, mut unknown_apis) = (0, 0, 0, 0);
    for recording in &recordings {
        let (expected, is_early) = match (recording.status, recording.api, recording.usage) {
            (300.., _, _) => {
                refused += 1;
                (Outcome::Nothing, false)
            }
            // Audio and images: their requests are counted, their answers are not read.
            (_, None, _) => {
                unknown_apis += 1;
                (Outcome::UNSAID, true)
            }
            (_, Some(_), Some(usage)) => {
                used += 1;
                (Outcome::Used(usage), true)
            }
            (_, Some(_), None) => {
                unsaid += 1;
                let events = recording.events();
                assert!(events > 1, "{}", recording.id);
                let named = Usage::default();
                (Outcome::Unknown { named, events }, false)
            }
        };
        for size in (1..=100).chain([recording.body.len()]) {
            let outcome = recording.outcome(size);
            assert_eq!(outcome, (expected, is_early), "{} by {size}", recording.id);
        }
    }
    // Each kind is there.
    let kinds = [used, unsaid, refused, unknown_apis];
    assert!(kinds.iter().all(|kind| *kind > 0), "{kinds:?}");
    assert!(used > recordings.len() / 2, "{kinds:?}");
}

/// What breaks off before the usage costs by what came, and never more than what the whole answer has events for.
#[test]
fn a_recording_that_breaks_off_is_used_only_behind_its_usage() {
    let Some(corpus) = corpus("llm_usage.json") else {
        return;
    };
    let cases = corpus["cases"].as_array().expect("cases");
    let (mut used, mut unknown) = (0, 0);
    for case in cases {
        let recording = Recording::read(case);
        let (Some(api), Some(usage)) = (recording.api, recording.usage) else {
            continue;
        };
        let mut begun = Answer::new(Some(api));
        begun.begins(recording.status, Some(recording.content_type), None, false);
        let all_events = recording.events();
        let mut was_used = false;
        for byte in recording.body {
            let mut ended = begun.clone();
            let outcome = ended.ends(&Ending {
                details: b"downstream_remote_disconnect",
                is_upstream_reached: true,
                status: Some(recording.status),
            });
            match outcome.expect("an outcome") {
                Outcome::Used(read) => {
                    assert_eq!(read, usage, "{}", recording.id);
                    was_used = true;
                    used += 1;
                }
                Outcome::Unknown { named, events } => {
                    assert!(
                        !was_used,
                        "{}: what was read is not forgotten",
                        recording.id
                    );
                    assert!(named.output <= usage.output, "{}", recording.id);
                    assert!(events <= all_events, "{}", recording.id);
                    unknown += 1;
                }
                Outcome::Nothing => panic!("{}: it was answered", recording.id),
            }
            if begun.read(std::slice::from_ref(byte), false).is_some() {
                break;
            }
        }
    }
    assert!(used > 0 && unknown > used, "{used} {unknown}");
}
