//! The shipped policies, sixty times as fast: every minute of theirs becomes a second, so that a person sees within a
//! minute what otherwise takes an hour. Nothing else of the text changes.

use paramedic_policies::time::Span;

/// The policies of the demo: the ones that ship for Maestro, and one on trial.
pub(super) const POLICIES: [(&str, &str); 4] = [
    ("database-connections.yaml", include_str!("../../../policies/maestro/05-database-connections.yaml")),
    ("high-error-rate.yaml", include_str!("../../../policies/maestro/02-high-error-rate.yaml")),
    ("slow-responses.yaml", include_str!("../../../policies/maestro/03-slow-responses.yaml")),
    ("queue-backlog-on-trial.yaml", include_str!("policies/queue-backlog-on-trial.yaml")),
];

/// How much faster the demo is.
const FASTER: u64 = 60;

/// What the language takes as the shortest pause between two looks.
const SHORTEST: Span = Span::from_secs(1);

/// The keys whose values are spans.
const KEYS: [&str; 9] = ["for", "settle", "hold", "within", "every", "cooldown", "relapse", "per", "after"];

/// The text with its spans shortened.
pub(super) fn hasten(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    if rest.trim_start().starts_with('#') {
        return rest.to_owned();
    }
    while let Some((before, span, after)) = next_span(rest) {
        done.push_str(before);
        done.push_str(&Span::from_ms(span.ms() / FASTER).max(SHORTEST).to_string());
        rest = after;
    }
    done.push_str(rest);
    done
}

/// What stands before the next span, the span, and what stands behind it.
fn next_span(text: &str) -> Option<(&str, Span, &str)> {
    for (colon, _) in text.match_indices(": ") {
        let key = text[..colon].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let value = &text[colon + 2..];
        let end = value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len());
        if KEYS.contains(&key)
            && let Ok(span) = value[..end].parse()
        {
            return Some((&text[..colon + 2], span, &value[end..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_become_seconds_and_nothing_else_changes() {
        let text = "  for: 2m\n  # for: 2m\n  - {max: 2, per: 1h, by: target}\n  every: 15s\n  query: 'a:ratio5m' # in 5m\n";
        let fast = "  for: 2s\n  # for: 2m\n  - {max: 2, per: 1m, by: target}\n  every: 1s\n  query: 'a:ratio5m' # in 5m\n";
        assert_eq!(hasten(text), fast);
    }

    #[test]
    fn every_policy_of_the_demo_loads_hastened() {
        let file = |(name, text): &(&str, &str)| paramedic_policies::book::SourceFile {
            path: (*name).to_owned(),
            text: hasten(text),
        };
        let files = POLICIES.iter().map(file).collect();
        let settings = super::super::configuration(std::path::Path::new("unused")).settings();
        let source = paramedic_policies::book::Source { files, settings, tzdb: String::new() };
        let checked = paramedic_policies::load::check(source);
        // Doubts there are: a real Prometheus could not be asked that often.
        let errors = checked.problems.iter().filter(|problem| problem.is_error());
        assert_eq!(errors.map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    }
}
