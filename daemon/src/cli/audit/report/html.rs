//! The report as one HTML file that needs nothing else: style, script and pictures are inside, and its own security
//! policy lets it load nothing. Every word of anybody goes in through `Markup`, escaped.

use std::fmt::Display;
use std::sync::LazyLock;

use paramedic_policies::time::Moment;
use sha2::{Digest as _, Sha256};

use super::card::action;
use super::document::{Report, TOLD_MAX, Tone, ending, spread, standing, took, verdict};
use super::figures::MEASURES;
use super::incident::{CaseTold, Incident};
use super::markup::Markup;
use super::picture::{self, Paper};
use super::words::{clock, moment};
use super::{chart, figures};
use crate::cli::audit::ends::Ends;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Lines of the timeline that are written out.
const LINES_MAX: usize = 2000;

/// What the page may do: its own style and its one script, named by its digest.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = base64(&Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
});

/// The whole page.
pub(super) fn written(report: &Report) -> String {
    let mut page = Markup::default();
    page.ours("<!doctype html>\n");
    page.element("html", &[("lang", &"en")], |html| {
        html.element("head", &[], |head| {
            head.ours("<meta charset=\"utf-8\">\n");
            head.ours("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
            let policy: [(&'static str, &dyn Display); 2] =
                [("http-equiv", &"Content-Security-Policy"), ("content", &*POLICY)];
            head.shape("meta", &policy);
            head.leaf("title", &[], &report.title);
            head.element("style", &[], |style| style.ours(STYLE));
        });
        html.element("body", &[], |body| {
            inside(report, body);
            body.element("script", &[], |script| script.ours(SCRIPT));
        });
    });
    page.finished()
}

fn inside(report: &Report, body: &mut Markup) {
    body.element("header", &[], |header| {
        header.leaf("h1", &[], &report.title);
        for incident in report.incidents.iter().filter(|_| !report.is_of_window()) {
            header.element("ul", &[("class", &"chips")], |chips| {
                for case in &incident.cases {
                    let (words, tone) = standing(case);
                    chips.element("li", &[], |item| word(&format!("{}: {words}", case.policy), tone, item));
                }
            });
        }
        for cut in &report.left_out {
            header.element("p", &[("class", &"notice")], |notice| {
                notice.leaf("b", &[], "Left out: ");
                // Commands stand between backticks.
                for (index, part) in cut.split('`').enumerate() {
                    match index % 2 {
                        1 => notice.leaf("code", &[], part),
                        _ => notice.text(part),
                    }
                }
            });
        }
    });
    if report.extent().is_some() {
        body.element("figure", &[], |figure| {
            picture::draw(report, Paper::Wide, figure);
            picture::draw(report, Paper::Narrow, figure);
        });
    }
    if report.is_of_window() {
        policies(report, body);
        episodes(report, body);
    }
    open(report, body);
    report.incidents.iter().take(TOLD_MAX).for_each(|incident| episode(report, incident, body));
    people(report, body);
    timeline(report, body);
    footer(report, body);
}

pub(super) fn word(text: &str, tone: Tone, into: &mut Markup) {
    let class = format!("word {}", tone.name());
    into.leaf("span", &[("class", &class)], text);
}

/// A table whose rows become blocks on a telephone.
pub(super) fn table(heads: &[&'static str], into: &mut Markup, rows: impl FnOnce(&mut Markup)) {
    into.element("div", &[("class", &"scroll")], |scroll| {
        scroll.element("table", &[("class", &"stack")], |table| {
            table.element("thead", &[], |head| {
                head.element("tr", &[("class", &"head")], |row| {
                    heads.iter().for_each(|name| row.leaf("th", &[], name));
                });
            });
            table.element("tbody", &[], rows);
        });
    });
}

/// A cell that keeps its column's name where the columns are gone.
fn cell(class: &'static str, name: &'static str, row: &mut Markup, text: impl Display) {
    row.leaf("td", &[("class", &class), ("data-name", &name)], text);
}

fn policies(report: &Report, body: &mut Markup) {
    body.leaf("h2", &[], "Policies");
    if report.policies.is_empty() {
        body.leaf("p", &[], "No policy spoke on an alert that was received in this window.");
        return;
    }
    let mut heads = vec!["policy"];
    heads.extend(Ends::default().columns().map(|(name, _)| name));
    table(&heads, body, |rows| {
        for sum in &report.policies {
            rows.element("tr", &[], |row| {
                row.element("td", &[], |cell| cell.leaf("b", &[], &sum.policy));
                sum.ends.columns().iter().for_each(|(name, count)| cell("", name, row, count));
            });
        }
    });
    body.leaf("h3", &[], "How long it took");
    body.leaf(
        "p",
        &[("class", &"quiet")],
        "Median / 90th percentile, and of how many; only values that were observed.",
    );
    let mut heads = vec!["policy"];
    heads.extend(MEASURES.iter().map(|(name, _)| *name));
    table(&heads, body, |rows| {
        for sum in &report.policies {
            rows.element("tr", &[], |row| {
                row.element("td", &[], |cell| cell.leaf("b", &[], &sum.policy));
                for (name, _) in MEASURES {
                    cell("", name, row, sum.times.get(name).map_or("-".to_owned(), spread));
                }
            });
        }
    });
    measures(body);
}

fn measures(body: &mut Markup) {
    body.element("details", &[], |details| {
        details.leaf("summary", &[], "What is measured");
        details.element("ul", &[], |list| {
            for (name, what) in MEASURES {
                list.element("li", &[], |item| {
                    item.leaf("b", &[], name);
                    item.text(format_args!(": {what}"));
                });
            }
        });
    });
}

fn episodes(report: &Report, body: &mut Markup) {
    body.leaf("h2", &[], "Episodes");
    if report.incidents.is_empty() {
        body.leaf("p", &[], "Nothing happened, as far as the journal knows.");
        return;
    }
    let begin = report.since.unwrap_or_default();
    table(&["episode", "alert", "received", "ended", "what came of it"], body, |rows| {
        for incident in &report.incidents {
            rows.element("tr", &[], |row| {
                row.element("td", &[("class", &"number")], |cell| {
                    let href = format!("#e{}", incident.episode);
                    cell.leaf("a", &[("href", &href)], incident.episode);
                });
                row.element("td", &[("class", &"wide")], |cell| cell.leaf("b", &[], incident.name()));
                let shown = |at| clock(at, begin);
                cell("time", "received", row, incident.opened_at.map_or("unknown".to_owned(), shown));
                cell(
                    "time",
                    "ended",
                    row,
                    incident.closed.as_ref().map_or("-".to_owned(), |end| shown(end.at)),
                );
                row.element("td", &[], |cell| {
                    for case in &incident.cases {
                        let (words, tone) = standing(case);
                        cell.element("div", &[], |line| {
                            word(&format!("{}: {words}", case.policy), tone, line)
                        });
                    }
                });
            });
        }
    });
    if report.incidents.len() > TOLD_MAX {
        let rest = "`paramedic audit report --episode N` tells each of the others.";
        body.leaf("p", &[("class", &"notice")], format_args!("The first {TOLD_MAX} are told below; {rest}"));
    }
}

fn open(report: &Report, body: &mut Markup) {
    body.leaf("h2", &[], "Open questions");
    if report.open.is_empty() {
        body.leaf("p", &[], "None, as far as the records say.");
        return;
    }
    body.element("ul", &[("class", &"open")], |list| {
        for open in &report.open {
            list.element("li", &[], |item| {
                item.text(&open.what);
                item.text(" ");
                record(open.seq, item);
            });
        }
    });
}

/// A link to a record's line.
fn record(seq: impl Display, into: &mut Markup) {
    let href = format!("#r{seq}");
    into.leaf("a", &[("class", &"quiet"), ("href", &href)], format_args!("record {seq}"));
}

fn episode(report: &Report, incident: &Incident, body: &mut Markup) {
    let id = format!("e{}", incident.episode);
    body.leaf("h2", &[("id", &id)], format_args!("Episode {}: {}", incident.episode, incident.name()));
    body.element("ul", &[("class", &"chips")], |chips| {
        for (name, value) in &incident.labels {
            chips.element("li", &[("class", &"chip")], |chip| {
                chip.leaf("code", &[], format_args!("{name}={value}"));
            });
        }
    });
    let unknown = || "unknown".to_owned();
    body.element("table", &[("class", &"facts")], |table| {
        let mut fact = |name: &str, value: String| {
            table.element("tr", &[], |row| {
                row.leaf("th", &[], name);
                row.leaf("td", &[], value);
            });
        };
        incident.annotations.iter().for_each(|(name, value)| fact(name, value.clone()));
        match &incident.by_hand {
            Some(order) => {
                let at = incident.opened_at.map_or_else(unknown, moment);
                fact("ordered", format!("{at} by {}", order.by));
                fact("reason", order.reason.clone());
            }
            None => {
                fact("fires since (startsAt)", incident.starts_at.map_or_else(unknown, moment));
                fact("received", incident.opened_at.map_or_else(unknown, moment));
            }
        }
        fact("ended", ending(incident));
    });
    if incident.cases.is_empty() {
        body.leaf("p", &[], "No policy spoke on it.");
    }
    incident.cases.iter().for_each(|told| case(report, told, body));
}

fn case(report: &Report, case: &CaseTold, body: &mut Markup) {
    body.element("section", &[], |section| {
        let (words, tone) = standing(case);
        section.element("h3", &[], |head| {
            head.text(format_args!("{} ", case.policy));
            word(&words, tone, head);
        });
        section.element("ul", &[("class", &"tiles")], |tiles| {
            for ((name, what), figure) in MEASURES.iter().zip(case.figures.each()) {
                tiles.element("li", &[("class", &"tile"), ("title", what)], |tile| {
                    let shown =
                        if figure == figures::Took::NotReached { "–".to_owned() } else { took(figure) };
                    tile.leaf("b", &[], shown);
                    tile.leaf("span", &[], name);
                });
            }
        });
        if !case.actions.is_empty() {
            section.leaf("h4", &[], "What was done");
            case.actions.iter().for_each(|done| action(report, done, section));
        }
        refused(case, section);
        if !case.curves.is_empty() {
            section.leaf("h4", &[], "What Prometheus said");
            charts(case, section);
        }
    });
}

fn refused(case: &CaseTold, section: &mut Markup) {
    let refused: Vec<_> = case.rulings.iter().filter(|ruling| !ruling.refusals.is_empty()).collect();
    let Some(first) = refused.first() else { return };
    section.leaf("h4", &[], "What was refused, and why");
    table(&["time", "ruling", "guard", "why"], section, |rows| {
        for ruling in &refused {
            for (index, refusal) in ruling.refusals.iter().enumerate() {
                rows.element("tr", &[], |row| {
                    if index == 0 {
                        cell("time", "", row, clock(ruling.at, first.at));
                        row.element("td", &[], |cell| {
                            let (name, tone) = verdict(ruling.verdict);
                            word(name, tone, cell);
                        });
                    } else {
                        row.leaf("td", &[], "");
                        row.leaf("td", &[], "");
                    }
                    row.element("td", &[], |cell| cell.leaf("code", &[], &refusal.name));
                    row.element("td", &[("class", &"wide")], |cell| {
                        cell.text(&refusal.reason);
                        if let (0, again @ 1..) = (index, ruling.repeated) {
                            cell.leaf(
                                "span",
                                &[("class", &"quiet")],
                                format_args!(" (the same {again} more times)"),
                            );
                        }
                    });
                });
            }
        }
    });
}

fn charts(case: &CaseTold, section: &mut Markup) {
    section.element("div", &[("class", &"charts")], |charts| {
        for curve in &case.curves {
            charts.element("figure", &[], |figure| {
                chart::draw(case, curve, figure);
                figure.element("figcaption", &[], |caption| {
                    caption.text(format_args!("{}: ", curve.fact));
                    caption.leaf("code", &[], &curve.promql);
                    let known = curve.recorded.iter().filter(|point| point.value.is_some()).count();
                    if known == 0 {
                        caption.text(" No value was recorded: the answers had none, or failed.");
                    }
                    if let Some(failed) = &curve.range_failed {
                        caption.text(format_args!(" Its curve could not be had: {failed}."));
                    }
                });
            });
        }
    });
    let has_range = case.curves.iter().any(|curve| !curve.range.is_empty());
    let line = if has_range { "line: Prometheus, asked for this report; " } else { "" };
    section.leaf(
        "p",
        &[("class", &"quiet")],
        format_args!("dots: answers as recorded; {line}upright lines: actions; shaded: what was wanted"),
    );
}

fn people(report: &Report, body: &mut Markup) {
    body.leaf("h2", &[], "People");
    let Some(first) = report.people.first() else {
        body.leaf("p", &[], "Nobody was called, and nobody did anything.");
        return;
    };
    table(&["time", "who", "what", "why", "record"], body, |rows| {
        for deed in &report.people {
            rows.element("tr", &[], |row| {
                cell("time", "", row, clock(deed.at, first.at));
                row.element("td", &[], |cell| cell.leaf("b", &[], &deed.who));
                cell("", "", row, &deed.what);
                cell("wide", "", row, &deed.comment);
                row.element("td", &[], |cell| record(deed.seq, cell));
            });
        }
    });
}

fn timeline(report: &Report, body: &mut Markup) {
    body.leaf("h2", &[], "Record by record");
    let Some(first) = report.timeline.first() else {
        body.leaf("p", &[], "There are no records.");
        return;
    };
    body.leaf("p", &[("class", &"quiet")], format_args!("Times of {} on.", moment(first.at)));
    table(&["record", "time", "lane", "what"], body, |rows| {
        for line in report.timeline.iter().take(LINES_MAX) {
            let id = format!("r{}", line.seq);
            rows.element("tr", &[("id", &id)], |row| {
                cell("number", "", row, line.seq);
                cell("time", "", row, clock(line.at, first.at));
                cell("lane-name", "", row, line.lane.name());
                cell("wide", "", row, &line.text);
            });
        }
    });
    if let Some(more @ 1..) = report.timeline.len().checked_sub(LINES_MAX) {
        body.leaf("p", &[], format_args!("And {more} more; `paramedic audit query` has all of them."));
    }
}

fn footer(report: &Report, body: &mut Markup) {
    body.element("footer", &[], |footer| {
        let range = match (report.first, report.last) {
            (Some(first), Some(last)) => format!("from records {first} to {last}"),
            _ => "from no records".to_owned(),
        };
        let made: Moment = report.made_at;
        footer.leaf(
            "p",
            &[],
            format_args!("Made {} by paramedic {} {range}. Times are in UTC.", moment(made), report.version),
        );
        footer.leaf("p", &[], "`paramedic audit verify` shows whether the journal is what was written.");
    });
}

/// Base64 with padding, as security policies want it.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let three =
            chunk.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let is_padding = place > chunk.len();
            let letter = LETTERS[three >> (18 - 6 * place) & 63];
            text.push(if is_padding { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
