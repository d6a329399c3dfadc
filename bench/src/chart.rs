//! The results as a picture: a bar for each variant, as long as its microseconds.

use std::fmt::Write as _;

use crate::cases::{Side, groups};
use crate::report::Report;
use bench::clock;

const WIDTH: f64 = 900.0;
/// Where the bars begin; the names stand left of it.
const LEFT: f64 = 380.0;
/// For the number behind the longest bar.
const RIGHT: f64 = 80.0;
const TOP: f64 = 74.0;
const HEADING: f64 = 34.0;
const ROW: f64 = 28.0;
const BAR: f64 = 18.0;

const INK: &str = "#1f2328";
const FAINT: &str = "#59636e";
const OURS: &str = "#0969da";
const THEIRS: &str = "#9a9fa6";
const FLOOR: &str = "#9ac4f5";

/// The chart, as SVG.
pub fn draw(report: &Report<'_>) -> String {
    let value = |id| report.measured.above(id).value;
    let cases = groups().flat_map(|(_, cases)| cases);
    let longest = cases.fold(1.0, |longest, case| value(case.id).max(longest));
    let scale = (WIDTH - LEFT - RIGHT) / longest;

    let mut rows = String::new();
    let mut y = TOP;
    for (group, cases) in groups() {
        y += HEADING;
        rows.push_str(&text(20.0, y - 10.0, INK, "font-weight=\"600\"", group));
        for case in cases {
            let (value, middle) = (value(case.id), y + 14.0);
            let length = (value * scale).max(1.0);
            let color = match case.side() {
                Side::Ours => OURS,
                Side::Theirs => THEIRS,
                Side::Floor => FLOOR,
            };
            let right = "text-anchor=\"end\"";
            rows.push_str(&text(LEFT - 10.0, middle, INK, right, case.what));
            let _ = writeln!(
                rows,
                "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{color}\"/>"
            );
            let number = format!("{value:.1}");
            rows.push_str(&text(LEFT + length + 8.0, middle, INK, "", &number));
            y += ROW;
        }
    }

    let title = text(
        20.0,
        32.0,
        INK,
        "font-size=\"18\" font-weight=\"600\"",
        "CPU per request above an Envoy without filters, in µs",
    );
    let subtitle = format!(
        "Less is better. `make bench`, {}: Envoy {}, one worker, all variants in turns in one process.",
        clock::today(),
        report.envoy
    );
    let subtitle = text(20.0, 56.0, FAINT, "", &subtitle);
    let height = y + 12.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"14\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         {title}{subtitle}{rows}</svg>\n"
    )
}

fn text(x: f64, y: f64, color: &str, style: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{color}\" {style}>{words}</text>\n")
}
