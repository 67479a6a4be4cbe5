//! Why a query found nothing: a name that no record has, most often a slip of the fingers. Says which, and the nearest
//! names that there are. It must never stand in the way of an answer: it is asked only where there is none.

use std::collections::BTreeSet;

use paramedic_policies::event::{Event, Record};
use paramedic_policies::load;

use crate::cli::failure::Failure;
use crate::cli::records::Records;
use crate::cli::table::plain;
use crate::journal::Filter;

/// Records that are looked through for names: the newest ones, a page.
const LOOKED_THROUGH: usize = 1000;

/// Names in a hint.
const NAMED_MAX: usize = 10;

/// How alike two names are that one of them may be meant by the other, of 1.
const ALIKE: f64 = 0.85;

/// One sentence for each name of the filter that no record has.
pub(super) async fn names(records: &dyn Records, filter: &Filter) -> Result<Vec<String>, Failure> {
    let only = || Filter { limit: Some(1), newest: true, ..Filter::default() };
    let given = [
        ("policy", &filter.policy, Filter { policy: filter.policy.clone(), ..only() }),
        ("namespace", &filter.namespace, Filter { namespace: filter.namespace.clone(), ..only() }),
        ("target", &filter.target, Filter { target: filter.target.clone(), ..only() }),
        ("alert", &filter.alert, Filter { alert: filter.alert.clone(), ..only() }),
        ("fingerprint", &filter.fingerprint, Filter { fingerprint: filter.fingerprint.clone(), ..only() }),
    ];
    let mut told = Vec::new();
    for (what, name, alone) in given {
        let Some(name) = name else { continue };
        // Known, so the other filters left nothing of it.
        if !records.page(&alone).await?.items.is_empty() {
            continue;
        }
        let known = known(records, what).await?;
        told.push(if what == "policy" && known.contains(name) {
            format!("policy `{name}` is in force, and no alert has met its matchers yet")
        } else {
            format!("no record names the {what} `{}`{}", plain(name), nearest(name, &known))
        });
    }
    Ok(told)
}

/// The names that there are: policies in force, and what the newest alerts and decisions name.
async fn known(records: &dyn Records, what: &str) -> Result<BTreeSet<String>, Failure> {
    let kind = match what {
        "policy" => "adopted",
        "target" => "ruled",
        _ => "opened",
    };
    let most = if kind == "adopted" { 1 } else { LOOKED_THROUGH };
    let filter = Filter { kind: Some(kind.to_owned()), newest: true, ..Filter::default() };
    let (found, _) = records.all(&filter, most).await?;
    Ok(found.iter().flat_map(|record| named_in(record, what)).collect())
}

fn named_in(record: &Record, what: &str) -> Vec<String> {
    if let Event::Adopted { source, .. } = &record.event {
        let book = load::book((**source).clone());
        return book.map(|book| book.policies().keys().cloned().collect()).unwrap_or_default();
    }
    let one = if let Event::Ruled { ruling } = &record.event {
        ruling.target.as_ref().map(ToString::to_string)
    } else if let Event::Opened { labels, fingerprint, .. } = &record.event {
        match what {
            "alert" => labels.get("alertname").cloned(),
            "namespace" => labels.get("namespace").cloned(),
            _ => fingerprint.clone(),
        }
    } else {
        None
    };
    one.into_iter().collect()
}

/// The rest of the sentence: what may have been meant, or what there is.
fn nearest(name: &str, known: &BTreeSet<String>) -> String {
    let mut alike: Vec<(f64, &str)> = known
        .iter()
        .map(|one| (strsim::jaro_winkler(&name.to_lowercase(), &one.to_lowercase()), one.as_str()))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let quoted =
        |names: Vec<&str>| names.iter().map(|one| format!("`{}`", plain(one))).collect::<Vec<_>>().join(", ");
    let alike: Vec<&str> = alike.into_iter().map(|(_, one)| one).take(NAMED_MAX).collect();
    match (alike.is_empty(), known.len()) {
        (false, _) => format!("; did you mean {}?", quoted(alike)),
        (true, 1..=NAMED_MAX) => {
            format!("; there are {}", quoted(known.iter().map(String::as_str).collect()))
        }
        (true, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_named_and_strangers_are_not() {
        let known = ["cart-errors", "cart-slow", "search-slow", "a", "b", "c"].map(str::to_owned).into();
        assert_eq!(nearest("cart-erors", &known), "; did you mean `cart-errors`, `cart-slow`?");
        assert_eq!(nearest("Search-Slow", &known), "; did you mean `search-slow`?");
        let many = (0..11).map(|number| format!("p{number}")).collect();
        assert_eq!(nearest("zzz", &many), "");
        assert_eq!(nearest("zzz", &["cart".to_owned()].into()), "; there are `cart`");
    }
}
