//! The index finds exactly the policies that asking each of them would find, in the same order.

use paramedic_policies::alert::Labels;
use paramedic_policies::load;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert_eq, proptest};
use proptest::{collection, sample};

use super::support::source;

fn policy(name: usize, priority: i32, matchers: &[String]) -> String {
    let list: Vec<String> = matchers.iter().map(|matcher| format!("'{matcher}'")).collect();
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: p{name}}}\nspec:\n  priority: {priority}\n  match: [{}]\n  target: {{kind: Deployment, namespace: a, name: b}}\n  ladder: [{{restart: {{}}}}]\n",
        list.join(", ")
    )
}

fn matcher() -> impl Strategy<Value = String> {
    let names = sample::select(vec!["a", "b", "c"]);
    let values = sample::select(vec!["", "1", "2", "3"]);
    (names, sample::select(vec!["=", "=", "!=", "=~", "!~"]), values, values_too()).prop_map(
        |(name, operator, value, other)| match operator {
            "=~" | "!~" => format!("{name}{operator}\"{value}|{other}\""),
            _ => format!("{name}{operator}\"{value}\""),
        },
    )
}

fn values_too() -> impl Strategy<Value = &'static str> {
    sample::select(vec!["1", ".*", "4"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_index_agrees_with_asking_everyone(
        policies in collection::vec((0..3_i32, collection::vec(matcher(), 1..4)), 1..30),
        alerts in collection::vec(collection::btree_map(sample::select(vec!["a", "b", "c", "d"]), sample::select(vec!["1", "2", "3"]), 0..4), 1..20),
    ) {
        let text: Vec<String> = policies.iter().enumerate().map(|(name, (priority, matchers))| policy(name, *priority, matchers)).collect();
        let book = load::book(source(&[("all.yaml", &text.join("---\n"))])).expect("they load");
        for alert in alerts {
            let labels: Labels = alert.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let mut wanted: Vec<_> = book.policies().values().filter(|policy| policy.matchers.iter().all(|matcher| matcher.meets(&labels))).collect();
            wanted.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name)));
            let names = |policies: Vec<&paramedic_policies::policy::Policy>| policies.iter().map(|policy| policy.name.clone()).collect::<Vec<_>>();
            prop_assert_eq!(names(book.matching(&labels)), names(wanted));
        }
    }
}

#[test]
fn equal_expressions_are_compiled_once() {
    let text: Vec<String> = (0..3).map(|name| policy(name, 0, &["a=~\"x|y\"".to_owned()])).collect();
    let book = load::book(source(&[("all.yaml", &text.join("---\n"))])).expect("they load");
    let regexes: Vec<_> =
        book.policies().values().filter_map(|policy| policy.matchers[0].regex.clone()).collect();
    assert!(regexes.windows(2).all(|pair| std::sync::Arc::ptr_eq(&pair[0], &pair[1])));
}
