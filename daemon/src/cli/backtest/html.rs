//! A backtest as one HTML file that needs nothing else, in the dress of `audit report`: its own security policy lets it load
//! nothing, it has no script, and every word of anybody goes in through `Markup`, escaped.

use std::fmt::Display;

use paramedic_policies::counted::counted;
use paramedic_policies::time::Moment;
use paramedic_simulations::backtest::{Refusal, Report, Verdicts};

use super::days;
use super::table::{ALERTS_LEFT_OUT, came_of, done, guard, kept_by, mode, questions, targets_of};
use crate::cli::audit::report::markup::{Attribute, Markup};
use crate::cli::words::minute;

const STYLE: &str = include_str!("../audit/report/style.css");
const OWN_STYLE: &str = include_str!("backtest.css");

/// The page may show itself, and nothing more.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The whole page.
pub(super) fn written(report: &Report, made_at: Moment) -> String {
    let mut page = Markup::default();
    let title = format!("Backtest, {} to {}", minute(report.from), minute(report.until));
    page.ours("<!doctype html>\n");
    page.element("html", &[("lang", &"en")], |html| {
        html.element("head", &[], |head| {
            head.ours("<meta charset=\"utf-8\">\n");
            head.ours("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
            head.shape("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &POLICY)]);
            head.leaf("title", &[], &title);
            head.element("style", &[], |style| {
                style.ours(STYLE);
                style.ours(OWN_STYLE);
            });
        });
        html.element("body", &[], |body| {
            body.element("header", &[], |header| {
                header.leaf("h1", &[], &title);
                let policies = match report.policies.len() {
                    1 => "1 policy".to_owned(),
                    many => format!("{many} policies"),
                };
                header.leaf(
                    "p",
                    &[("class", &"quiet")],
                    format_args!("What {policies} would have done. Nothing was done, and nobody was told. Times are in UTC."),
                );
            });
            inside(report, body);
            body.element("footer", &[], |footer| {
                let version = env!("CARGO_PKG_VERSION");
                footer.leaf("p", &[], format_args!("Made {} UTC by paramedic {version}.", minute(made_at)));
            });
        });
    });
    page.finished()
}

fn inside(report: &Report, body: &mut Markup) {
    tiles(report, body);
    let of = |count: fn(&paramedic_simulations::backtest::DaySum) -> u64| -> Vec<(Moment, u64)> {
        report.days.iter().map(|day| (day.day, count(day))).collect()
    };
    if report.actions > 0 {
        body.leaf("h2", &[], "Actions a day");
        days::draw("Actions a day", "info", &of(|day| day.actions), body);
    }
    if report.began > 0 {
        body.leaf("h2", &[], "Alerts a day");
        days::draw("Alerts that began, by day", "idle", &of(|day| day.began), body);
    }
    policies(report, body);
    why_not(report, body);
    not_known(report, body);
    targets(report, body);
    alerts(report, body);
    if let Some(live) = &report.live {
        verdicts(live, body);
    }
    body.leaf("h2", &[], "What history cannot tell");
    body.element("ul", &[("class", &"open")], |list| {
        report.unknown.iter().for_each(|what| list.leaf("li", &[], what));
    });
}

fn tiles(report: &Report, body: &mut Markup) {
    let mut tiles: Vec<(String, String, String)> = vec![
        ("actions".to_owned(), report.actions.to_string(), String::new()),
        (
            if report.targets_left_out { "different targets, at least" } else { "different targets" }
                .to_owned(),
            report.targets_count.to_string(),
            String::new(),
        ),
        ("alerts that began".to_owned(), report.began.to_string(), String::new()),
        ("of them with a policy".to_owned(), report.matched.to_string(), String::new()),
    ];
    if let Some(busiest) = report.busiest {
        let name = format!("most actions within {}", busiest.within);
        tiles.push((name, busiest.actions.to_string(), format!("first at {}", minute(busiest.at))));
    }
    if let Some(peak) = report.concurrency {
        let when = format!("if each ran until its deadline; first at {}", minute(peak.at));
        tiles.push(("at most at once".to_owned(), peak.actions.to_string(), when));
    }
    if let Some(blast) = report.blast {
        let name = format!("targets within {}, the widest", blast.within);
        let namespaces = counted(blast.namespaces, "namespace");
        tiles.push((
            name,
            blast.targets.to_string(),
            format!("in {namespaces}; first at {}", minute(blast.at)),
        ));
    }
    let lasted = format!("lasting {} in all", report.storms.lasted);
    tiles.push(("storms".to_owned(), report.storms.count.to_string(), lasted));
    body.element("ul", &[("class", &"tiles")], |list| {
        for (name, number, more) in &tiles {
            list.element("li", &[("class", &"tile"), ("title", more)], |tile| {
                tile.leaf("b", &[], number);
                tile.leaf("span", &[], name);
            });
        }
    });
}

/// A table whose rows become blocks on a telephone.
fn table(heads: &[&'static str], into: &mut Markup, rows: impl FnOnce(&mut Markup)) {
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
fn cell(name: &'static str, row: &mut Markup, text: impl Display) {
    row.leaf("td", &[("data-name", &name)], text);
}

fn named(row: &mut Markup, name: impl Display) {
    row.element("td", &[("class", &"wide")], |cell| cell.leaf("b", &[], name));
}

/// A cell with a bar as long, beside the longest, as its number.
fn share(tone: &'static str, count: u64, greatest: u64, row: &mut Markup) {
    let percent = (count * 100).checked_div(greatest).unwrap_or(0).max(u64::from(count > 0));
    let (class, width) = (format!("share {tone}"), format!("width:{percent}%"));
    row.element("td", &[("class", &class)], |cell| {
        let with: [Attribute<'_>; 1] = [("style", &width)];
        cell.leaf("i", &with, "");
    });
}

fn policies(report: &Report, body: &mut Markup) {
    body.leaf("h2", &[], "Policies");
    let heads = ["policy", "mode", "episodes", "acted", "actions", "targets", "refused"];
    table(&heads, body, |rows| {
        for policy in &report.policies {
            rows.element("tr", &[], |row| {
                named(row, &policy.policy);
                cell("mode", row, mode(policy));
                cell("episodes", row, policy.episodes);
                cell("acted", row, policy.acted);
                cell("actions", row, done(policy));
                cell("targets", row, targets_of(policy));
                cell("refused", row, kept_by(policy));
            });
        }
    });
    let quiet = [("class", &"quiet" as &dyn Display)];
    body.leaf(
        "p",
        &quiet,
        "Refused: cases that were refused for it at least once, whether they acted later or not.",
    );
    for (what, asked) in questions(report) {
        body.leaf("p", &quiet, format_args!("Asked, {what}: {}, {}.", asked.questions, came_of(asked)));
    }
}

fn why_not(report: &Report, body: &mut Markup) {
    if report.refusals.is_empty() {
        return;
    }
    body.leaf("h2", &[], "Why not");
    let greatest = report.refusals.iter().map(|refusal| refusal.cases).max().unwrap_or(0);
    table(&["guard", "reason", "cases", ""], body, |rows| {
        for Refusal { guard: by, reason, cases } in &report.refusals {
            rows.element("tr", &[], |row| {
                cell("guard", row, guard(*by));
                row.element("td", &[], |cell| cell.leaf("b", &[], reason));
                cell("cases", row, cases);
                share("doubt", *cases, greatest, row);
            });
        }
    });
}

fn not_known(report: &Report, body: &mut Markup) {
    if report.not_known.is_empty() {
        return;
    }
    body.leaf("h2", &[], "Not known any more, so withheld");
    table(&["policy", "fact", "cases"], body, |rows| {
        for one in &report.not_known {
            rows.element("tr", &[], |row| {
                named(row, &one.policy);
                cell("fact", row, &one.fact);
                cell("cases", row, one.cases);
            });
        }
    });
}

fn targets(report: &Report, body: &mut Markup) {
    let Some(greatest) = report.targets.first().map(|first| first.actions) else { return };
    body.leaf("h2", &[], "Targets");
    table(&["target", "actions", "by", ""], body, |rows| {
        for one in &report.targets {
            let by: Vec<String> =
                one.policies.iter().map(|(name, count)| format!("{count} {name}")).collect();
            rows.element("tr", &[], |row| {
                named(row, &one.target);
                cell("actions", row, one.actions);
                cell("by", row, by.join(", "));
                share("info", one.actions, greatest, row);
            });
        }
    });
    if let Some(more @ 1..) = report.targets_count.checked_sub(report.targets.len() as u64) {
        let least = if report.targets_left_out { "at least " } else { "" };
        body.leaf("p", &[("class", &"quiet")], format_args!("And {least}{more} more."));
    }
}

fn alerts(report: &Report, body: &mut Markup) {
    let Some(greatest) = report.alerts.first().map(|first| first.actions) else { return };
    body.leaf("h2", &[], "Alerts that would have caused most actions");
    table(&["alert", "began", "actions", ""], body, |rows| {
        for one in &report.alerts {
            rows.element("tr", &[], |row| {
                named(row, &one.alert);
                cell("began", row, one.episodes);
                cell("actions", row, one.actions);
                share("info", one.actions, greatest, row);
            });
        }
    });
    if report.alerts_left_out {
        body.leaf("p", &[("class", &"quiet")], ALERTS_LEFT_OUT);
    }
}

fn verdicts(live: &Verdicts, body: &mut Markup) {
    body.leaf("h2", &[], "Live verdicts");
    body.leaf(
        "p",
        &[],
        format_args!(
            "{} by this program, with the recorded facts and the books of their days{}.",
            live.compared(),
            live.left_out()
        ),
    );
    if live.differences.is_empty() {
        return;
    }
    table(&["record", "when", "policy", "alert", "live", "now"], body, |rows| {
        for one in &live.differences {
            rows.element("tr", &[], |row| {
                cell("record", row, one.record);
                cell("when", row, minute(one.at));
                named(row, &one.policy);
                cell("alert", row, &one.alert);
                cell("live", row, &one.live);
                cell("now", row, &one.now);
            });
        }
    });
    if let more @ 1.. = live.not_told() {
        body.leaf("p", &[("class", &"quiet")], format_args!("And {more} more."));
    }
}
