//! The headers by which a request says what becomes of it.

use std::str::FromStr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Words that an answer may have: more would be a mistake of the test.
const MOST_WORDS: usize = 10_000_000;

/// One of the APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Chat,
    Completions,
    Embeddings,
    Messages,
    Responses,
}

/// How an answer says what it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageForm {
    #[default]
    Whole,
    Float,
    Wrong,
    Absent,
}

#[derive(Debug, Default)]
pub struct Steering {
    pub api: Option<Api>,
    pub output_tokens: Option<usize>,
    pub input_tokens: Option<u64>,
    pub cached_tokens: u64,
    pub answer_delay: Duration,
    pub chunk_delay: Duration,
    pub chunk_bytes: Option<usize>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub trailers: Vec<(HeaderName, HeaderValue)>,
    pub usage_form: UsageForm,
    pub is_gzip: bool,
    pub huge: Option<usize>,
    pub break_after: Option<usize>,
    pub status: Option<StatusCode>,
    pub resets: bool,
    pub is_silent: bool,
}

impl Steering {
    /// What the headers say; an error names the one that says nothing known.
    pub fn read(headers: &HeaderMap) -> Result<Self, String> {
        let mut steering = Self {
            is_gzip: accepts_gzip(headers),
            ..Self::default()
        };
        for (name, value) in headers {
            let Some(what) = name.as_str().strip_prefix("x-model-") else {
                continue;
            };
            let read = value.to_str().ok();
            let read = read.and_then(|value| steering.header(what, value.trim()));
            read.ok_or_else(|| format!("{name}: {value:?}"))?;
        }
        Ok(steering)
    }

    /// `None` where the header is not known, or not its value.
    fn header(&mut self, what: &str, value: &str) -> Option<()> {
        match what {
            "api" => self.api = Some(Api::named(value)?),
            "output-tokens" => self.output_tokens = Some(within(value, MOST_WORDS)?),
            "input-tokens" => self.input_tokens = Some(number(value)?),
            "cached-tokens" => self.cached_tokens = number(value)?,
            "answer-delay-ms" => self.answer_delay = Duration::from_millis(number(value)?),
            "chunk-delay-ms" => self.chunk_delay = Duration::from_millis(number(value)?),
            "chunk-bytes" => self.chunk_bytes = Some(number(value).filter(|bytes| *bytes > 0)?),
            "answer-header" => self.headers.push(field(value)?),
            "answer-trailer" => self.trailers.push(field(value)?),
            "fault" => value.split(',').try_for_each(|it| self.fault(it.trim()))?,
            _ => return None,
        }
        Some(())
    }

    fn fault(&mut self, fault: &str) -> Option<()> {
        let (name, value) = match fault.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (fault, None),
        };
        match (name, value) {
            ("none", None) => {}
            ("no-usage", None) => self.usage_form = UsageForm::Absent,
            ("float-usage", None) => self.usage_form = UsageForm::Float,
            ("wrong-usage", None) => self.usage_form = UsageForm::Wrong,
            ("gzip", None) => self.is_gzip = true,
            ("reset-before-answer", None) => self.resets = true,
            ("silent", None) => self.is_silent = true,
            ("huge", Some(bytes)) => self.huge = Some(number(bytes)?),
            ("break-after", Some(chunks)) => self.break_after = Some(number(chunks)?),
            ("status", Some(code)) => {
                let status: StatusCode = number(code)?;
                // Those below are no answers yet (RFC 9110 §15.2).
                self.status = Some(status).filter(|status| status.as_u16() >= 200);
                self.status?;
            }
            _ => return None,
        }
        Some(())
    }
}

impl Api {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "chat" => Self::Chat,
            "completions" => Self::Completions,
            "embeddings" => Self::Embeddings,
            "messages" => Self::Messages,
            "responses" => Self::Responses,
            _ => return None,
        })
    }

    /// Whose path ends so.
    pub fn of_path(path: &str) -> Option<Self> {
        let (before, last) = path.rsplit_once('/')?;
        match last {
            "completions" if before.ends_with("/chat") => Some(Self::Chat),
            "chat" => None,
            last => Self::named(last),
        }
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn within(text: &str, most: usize) -> Option<usize> {
    number(text).filter(|number| *number <= most)
}

fn field(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    Some((name.trim().parse().ok()?, value.trim().parse().ok()?))
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all("accept-encoding").into_iter();
    let codings = values.filter_map(|value| value.to_str().ok());
    codings
        .flat_map(|codings| codings.split(','))
        .any(|coding| coding.trim() == "gzip")
}
