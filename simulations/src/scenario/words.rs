//! Words of an expectation that the program knows: the verbs of actions, the places of a policy. A
//! slip in one must never wait for a failed run to be told. What policies name themselves is free.

use paramedic_policies::book::Book;
use paramedic_policies::load::{Problem, Severity, distance};
use paramedic_policies::policy::Policy;
use paramedic_policies::question::Fact as Place;

use super::{Scenario, setting};

/// The first words of what actions say of themselves.
const VERBS: [&str; 20] = [
    "abort",
    "block",
    "collect",
    "cordon",
    "delete",
    "evict",
    "freeze",
    "minReplicas",
    "patch",
    "quarantine",
    "release",
    "renew",
    "reset",
    "restart",
    "roll",
    "run",
    "scale",
    "thaw",
    "unblock",
    "uncordon",
];

/// Names of remediations whose actions say something else of themselves.
const SAY_ELSE: [(&str, &str); 9] = [
    ("abortRollout", "abort"),
    ("blockIp", "block"),
    ("collectEvidence", "collect evidence"),
    ("deletePod", "delete a pod"),
    ("drainNode", "cordon it and evict"),
    ("evictPod", "evict a pod"),
    ("freezeDeploys", "freeze deploys"),
    ("resetBreaker", "reset breaker"),
    ("rollback", "roll back"),
];

impl Scenario {
    /// Words that nothing of these policies could ever say, and places that they do not have.
    pub fn unknown_words(&self, book: &Book) -> Vec<Problem> {
        let spec = &self.document.spec;
        let mut problems = Vec::new();
        for (index, one) in spec.expect.actions.iter().flatten().enumerate() {
            if let Some(near) = slip(&one.does, book) {
                let message = format!("no action says `{}` of itself", one.does);
                let hint = format!("did you mean `{near}`?");
                problems.push(self.wrong(&format!("expect/actions/{index}/do"), message, hint));
            }
        }
        for (index, one) in spec.facts.iter().enumerate() {
            let policy = one.policy.as_deref().and_then(|name| book.policy(name));
            if let (Some(policy), Some(text)) = (policy, &one.place)
                && let Some(place) = setting::place(text)
                && !has(policy, &place)
            {
                let message = format!("the policy `{}` asks nothing at `{text}`", policy.name);
                let hint = format!("it asks at: {}", places(policy).join(", "));
                problems.push(self.wrong(&format!("facts/{index}/place"), message, hint));
            }
        }
        problems
    }

    fn wrong(&self, path: &str, message: String, hint: String) -> Problem {
        let (line, column) = self.place(&format!("/spec/{path}"));
        let severity = Severity::Error;
        Problem { severity, file: self.file.clone(), line, column, message, hint: Some(hint) }
    }
}

/// What was meant, where the first word is nearly one of ours and nothing in the policies has it.
fn slip(does: &str, book: &Book) -> Option<String> {
    if let Some((_, text)) = SAY_ELSE.iter().find(|(name, _)| *name == does) {
        return Some((*text).to_owned());
    }
    let first = does.split_whitespace().next()?;
    let is_known = VERBS.iter().any(|verb| verb.contains(first) || first.contains(verb));
    if is_known || book.source().files.iter().any(|file| file.text.contains(first)) {
        return None;
    }
    // A slip of the fingers, or two where the word is long.
    let typed = first.to_lowercase();
    let away = VERBS.map(|verb| (distance(&typed, &verb.to_lowercase()), verb));
    let near = away.into_iter().filter(|(away, verb)| *away <= 1 + verb.len() / 6).min();
    near.map(|(_, verb)| does.replacen(first, verb, 1))
}

fn has(policy: &Policy, place: &Place) -> bool {
    match place {
        Place::Confirmation | Place::Verification | Place::Target | Place::Preflight | Place::Revert(_) => {
            true
        }
        Place::Let(name) => policy.lets.iter().any(|one| one.name == *name),
        Place::When(index) => *index < policy.when.len(),
    }
}

/// Where a policy asks.
fn places(policy: &Policy) -> Vec<String> {
    let mut all = vec!["confirmation".to_owned()];
    all.extend(policy.lets.iter().map(|one| format!("let.{}", one.name)));
    all.extend((0..policy.when.len()).map(|index| format!("when[{index}]")));
    all.push("verification".to_owned());
    all
}

#[cfg(test)]
mod tests {
    use paramedic_policies::book::{Book, Source, SourceFile};
    use paramedic_policies::load;

    use crate::scenario::read;

    fn book() -> Book {
        let text = "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {name: cart-errors}\nspec:\n  \
                    match: ['alertname=\"A\"']\n  target: {kind: Deployment, namespace: shop, name: cart}\n  \
                    when: [{query: sum(up), is: '> 1'}]\n  ladder: [{restart: {}}]\n";
        let files = vec![SourceFile { path: "cart.yaml".to_owned(), text: text.to_owned() }];
        let source = Source { files, settings: Default::default(), tzdb: String::new() };
        load::book(source).expect("it loads")
    }

    fn problems(line: &str) -> String {
        let expect = if line.starts_with("expect") { "" } else { "  expect: {actions: []}\n" };
        let text = format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: a}}\nspec:\n  {line}\n{expect}"
        );
        match read(&text, "cart.yaml") {
            Ok(read) => {
                let book = book();
                let (words, names) = (read[0].unknown_words(&book), read[0].unknown_policies(&book));
                words.iter().chain(&names).map(ToString::to_string).collect()
            }
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_slip_in_what_is_done_is_told() {
        for (does, meant) in [
            ("restrat", "restart"),
            ("scael 3 -> 5", "scale 3 -> 5"),
            ("quarantne", "quarantine"),
            ("rollback", "roll back"),
            ("freezeDeploys", "freeze deploys"),
        ] {
            let all = problems(&format!("expect: {{actions: [{{do: {does}}}]}}"));
            assert!(all.contains(&format!("cart.yaml:5:27: error: no action says `{does}`")), "{all}");
            assert!(all.ends_with(&format!("hint: did you mean `{meant}`?")), "{all}");
        }
        for good in [
            "restart",
            "restar",
            "dead-letter",
            "limits.memory",
            "POST /queues",
            "3 -> 5",
            "a pod",
            "sum(up)",
        ] {
            assert_eq!(problems(&format!("expect: {{actions: [{{do: {good}}}]}}")), "", "{good}");
        }
    }

    #[test]
    fn a_reason_that_does_not_exist_is_told() {
        let all = problems("expect: {refusals: [{policy: cart-errors, reason: factUnknow}]}");
        assert!(
            all.starts_with("cart.yaml:5:53: error: ") && all.contains("did you mean `factUnknown`?"),
            "{all}"
        );
        assert_eq!(problems("expect: {refusals: [{policy: cart-errors, reason: factUnknown}]}"), "");
    }

    #[test]
    fn a_policy_that_is_paused_is_one_of_those_given() {
        for (order, column) in [("pause", 37), ("resume", 38)] {
            let all = problems(&format!("orders: [{{at: 1m, {order}: {{policy: cart-errrs}}}}]"));
            assert!(all.contains("there is no policy `cart-errrs`"), "{all}");
            assert!(all.starts_with(&format!("cart.yaml:5:{column}:")), "{all}");
            assert_eq!(problems(&format!("orders: [{{at: 1m, {order}: {{policy: cart-errors}}}}]")), "");
        }
    }

    #[test]
    fn an_order_about_an_action_or_a_proposal_names_its_policy() {
        for (order, column) in [("undo", 27), ("approve", 30), ("deny", 27)] {
            let all = problems(&format!("orders: [{{at: 1m, {order}: restart}}]"));
            assert!(
                all.starts_with(&format!("cart.yaml:5:{column}: error: there is no policy `restart`")),
                "{all}"
            );
            assert!(
                all.contains("hint: name the policy whose newest action is meant, or whose open proposal"),
                "{all}"
            );
            let all = problems(&format!("orders: [{{at: 1m, {order}: 7}}]"));
            assert!(
                all.ends_with("must be text, found the number 7\n  hint: such as the name of a policy"),
                "{all}"
            );
            assert_eq!(problems(&format!("orders: [{{at: 1m, {order}: cart-errors}}]")), "");
        }
    }

    #[test]
    fn a_place_is_one_at_which_the_policy_asks() {
        for place in ["when[7]", "let.none"] {
            let all = problems(&format!("facts: [{{policy: cart-errors, place: '{place}', is: 1}}]"));
            assert!(all.contains(&format!("asks nothing at `{place}`")), "{all}");
            assert!(
                all.contains("cart.yaml:5:40:")
                    && all.contains("it asks at: confirmation, when[0], verification"),
                "{all}"
            );
        }
        assert_eq!(problems("facts: [{policy: cart-errors, place: 'when[0]', is: 1}]"), "");
    }
}
