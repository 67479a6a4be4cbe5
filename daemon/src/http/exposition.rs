//! The two text formats of `/metrics`: OpenMetrics for whoever asks for it, as Prometheus does, and the older one for all
//! others. They differ in the names of families and in the end.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderName};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// This OpenMetrics text in the format that is asked for, with its type.
pub(super) fn negotiated(
    asked: &HeaderMap,
    openmetrics: String,
) -> ([(HeaderName, &'static str); 1], String) {
    let accepted = asked.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.into_iter().flat_map(|value| value.split(',')).any(takes_openmetrics) {
        ([(CONTENT_TYPE, OPENMETRICS)], openmetrics)
    } else {
        ([(CONTENT_TYPE, PLAIN)], plain(&openmetrics))
    }
}

/// Whether this part of `Accept` asks for OpenMetrics; with `q=0` it says that it is not wanted.
fn takes_openmetrics(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let is_it = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
    let is_unwanted = |part: &str| {
        let weight = part.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        weight.is_some_and(|(_, weight)| weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0))
    };
    is_it && !parts.any(is_unwanted)
}

/// The older format: a family is named as its samples are, and there is neither a unit nor an end.
fn plain(openmetrics: &str) -> String {
    let of_type = |line: &str| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        Some((name.to_owned(), kind.to_owned()))
    };
    let types: BTreeMap<String, String> = openmetrics.lines().filter_map(of_type).collect();
    let mut text = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines() {
        let line = match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["#", "EOF"] | ["#", "UNIT", ..] => continue,
            ["#", what @ ("HELP" | "TYPE"), name, rest] => {
                let (suffix, kind) = match types.get(name).map(String::as_str) {
                    Some("counter") => ("_total", "counter"),
                    Some("info") => ("_info", "gauge"),
                    Some("unknown") => ("", "untyped"),
                    Some(other) => ("", other),
                    None => ("", "untyped"),
                };
                format!("# {what} {name}{suffix} {}", if what == "TYPE" { kind } else { rest })
            }
            _ => line.to_owned(),
        };
        text += &line;
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP paramedic_records Records written: all.\n# TYPE paramedic_records counter\n\
                        paramedic_records_total{kind=\"ruled\"} 7\n\
                        # HELP paramedic_build The running program.\n# TYPE paramedic_build info\n\
                        paramedic_build_info{version=\"1\"} 1\n\
                        # HELP paramedic_append_seconds Time.\n# TYPE paramedic_append_seconds histogram\n\
                        # UNIT paramedic_append_seconds seconds\nparamedic_append_seconds_sum 0.5\n# EOF\n";

    #[test]
    fn whoever_asks_for_openmetrics_gets_it_and_others_what_they_can_read() {
        for (accept, kind) in [
            (Some("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2"), OPENMETRICS),
            (Some("text/plain, Application/OpenMetrics-Text ; Q=0.1"), OPENMETRICS),
            (Some("application/openmetrics-text;version=1.0.0;q=0,text/plain"), PLAIN),
            (Some("application/openmetrics-text; q=0.0"), PLAIN),
            (Some("text/plain"), PLAIN),
            (Some("*/*"), PLAIN),
            (None, PLAIN),
        ] {
            let headers =
                accept.map(|accept| (ACCEPT, accept.parse().expect("a header"))).into_iter().collect();
            let ([(_, said)], text) = negotiated(&headers, TEXT.to_owned());
            assert_eq!((said, text.ends_with("# EOF\n")), (kind, kind == OPENMETRICS), "{accept:?}");
        }
    }

    #[test]
    fn in_the_older_format_a_family_is_named_as_its_samples_are() {
        assert_eq!(
            plain(TEXT),
            "# HELP paramedic_records_total Records written: all.\n# TYPE paramedic_records_total counter\n\
             paramedic_records_total{kind=\"ruled\"} 7\n\
             # HELP paramedic_build_info The running program.\n# TYPE paramedic_build_info gauge\n\
             paramedic_build_info{version=\"1\"} 1\n\
             # HELP paramedic_append_seconds Time.\n# TYPE paramedic_append_seconds histogram\n\
             paramedic_append_seconds_sum 0.5\n"
        );
    }
}
