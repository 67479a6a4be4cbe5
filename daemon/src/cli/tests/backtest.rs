//! `paramedic backtest` and `plan`, as people and pull requests read them.

use std::path::Path;

use paramedic_policies::event::Event;

use super::paramedic;

const POLICIES: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: restart-cart}
spec:
  mode: enforce
  match: ['alertname="CartErrors"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder: [{restart: {}, verify: {rollout: complete}}, {scale: {by: 1, max: 5}, verify: {rollout: complete}}]
  guards: {cooldown: COOLDOWN, limits: [{max: 3, per: 1d, by: policy}]}
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: scale-search}
spec:
  mode: approve
  match: ['alertname="SearchSlow"']
  for: 5m
  target: {kind: Deployment, namespace: search, name: search}
  when: [{query: 'sum(rate(http_requests_total[5m]))', is: "> 1"}]
  ladder: [{scale: {by: 1, max: 5}, verify: {rollout: complete}}]
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: owner-of-pod}
spec:
  mode: dry-run
  match: ['alertname="PodSick"']
  target: {from: {pod: "{{ labels.pod }}", namespace: "{{ labels.namespace }}"}}
  ladder: [{restart: {}, verify: {rollout: complete}}]
"#;

/// From and to in minutes since midnight of the first of November.
fn alert(name: &str, deployment: &str, from: i64, to: i64) -> String {
    let time = |minutes: i64| {
        format!("2026-11-{:02}T{:02}:{:02}:00Z", 1 + minutes / 1440, minutes / 60 % 24, minutes % 60)
    };
    format!(
        r#"{{"labels":{{"alertname":"{name}","namespace":"shop","deployment":"{deployment}","pod":"{deployment}-0"}},"startsAt":"{}","endsAt":"{}"}}"#,
        time(from),
        time(to)
    )
}

fn alerts() -> String {
    let mut lines = Vec::new();
    for (from, to) in [(60, 80), (85, 95), (90 + 1440, 130 + 1440), (600 + 1440, 610 + 1440)] {
        lines.push(alert("CartErrors", "cart", from, to));
    }
    for number in 0..4 {
        let from = 2 * 1440 + 300 + number;
        lines.push(alert("CartErrors", &format!("cart-{number}"), from, from + 30));
    }
    lines.push(alert("SearchSlow", "search", 700, 720));
    lines.push(alert("PodSick", "cart", 800, 806));
    lines.push(alert("DiskFilling", "cart", 10, 4 * 1440));
    lines.join("\n")
}

/// A folder with policies and a past.
struct Past(tempfile::TempDir);

impl Past {
    fn new() -> Self {
        let past = Self(tempfile::tempdir().expect("a folder"));
        past.write("alerts.jsonl", &alerts());
        past.write("old.yaml", &POLICIES.replace("COOLDOWN", "30m"));
        past.write(
            "new.yaml",
            &POLICIES.replace("COOLDOWN", "5m").replace("max: 3, per: 1d", "max: 9, per: 1d"),
        );
        past
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("it takes text");
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn run(&self, command: &[&str], more: &[&str]) -> super::Ran {
        let input = self.path("alerts.jsonl");
        let paths = command
            .iter()
            .map(|arg| if Path::new(arg).extension().is_some() { self.path(arg) } else { (*arg).to_owned() });
        let mut args: Vec<String> = paths.collect();
        args.extend(["--from", "file", "--input", input.as_str()].map(str::to_owned));
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        paramedic(&args)
    }
}

#[test]
fn a_backtest_says_what_would_have_been_done_and_what_would_not() {
    let past = Past::new();
    insta::assert_snapshot!("backtest-table", past.run(&["backtest", "--policies", "old.yaml"], &[]));
}

#[test]
fn a_backtest_is_data_for_programs() {
    let past = Past::new();
    insta::assert_snapshot!(
        "backtest-json",
        past.run(&["backtest", "--policies", "old.yaml"], &["-o", "json"])
    );
}

#[test]
fn a_backtest_fits_into_a_ticket() {
    let past = Past::new();
    insta::assert_snapshot!(
        "backtest-markdown",
        past.run(&["backtest", "--policies", "old.yaml"], &["-o", "markdown"])
    );
}

#[test]
fn a_backtest_is_a_page_that_needs_nothing_else() {
    let past = Past::new();
    let page = past.path("page");
    let ran = past.run(&["backtest", "--policies", "old.yaml"], &["--html", &page]);
    assert_eq!((ran.code, ran.err.replace(&page, "PAGE").as_str()), (0, "written to PAGE\n"));
    let page = std::fs::read_to_string(&page).expect("it was written");
    let body = page.split_once("</style>").expect("it has a style").1;
    insta::assert_snapshot!("backtest-html", body);
}

#[test]
fn a_plan_says_what_a_change_adds_and_removes() {
    let past = Past::new();
    insta::assert_snapshot!("plan-table", past.run(&["plan", "old.yaml", "new.yaml"], &[]));
    insta::assert_snapshot!("plan-json", past.run(&["plan", "old.yaml", "new.yaml"], &["-o", "json"]));
    insta::assert_snapshot!(
        "plan-markdown",
        past.run(&["plan", "old.yaml", "new.yaml"], &["-o", "markdown"])
    );
}

#[test]
fn a_plan_without_a_change_says_so() {
    let past = Past::new();
    let ran = past.run(&["plan", "old.yaml", "old.yaml"], &["-o", "markdown", "--max-new-actions", "0"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("**No action changes**"), "{}", ran.out);
}

#[test]
fn a_plan_is_a_gate() {
    let past = Past::new();
    let ran = past.run(&["plan", "old.yaml", "new.yaml"], &["--max-new-actions", "0"]);
    insta::assert_snapshot!("plan-gate", format!("exit {}\n{}", ran.code, ran.err));
}

/// The same actions, and now they happen.
#[test]
fn a_policy_that_may_do_more_than_show_is_no_plan_without_a_change() {
    let past = Past::new();
    let policies = POLICIES.replace("COOLDOWN", "30m");
    past.write("raised.yaml", &policies);
    past.write("shown.yaml", &policies.replace("mode: enforce", "mode: dry-run"));
    let ran = past.run(&["plan", "shown.yaml", "raised.yaml"], &["-o", "markdown", "--max-new-actions", "5"]);
    assert!(ran.out.contains("- `restart-cart`: `mode: dry-run -> enforce`"), "{ran}");
    assert!(ran.out.contains("6 altered") && ran.code == 1, "{ran}");
    let lowered = past.run(&["plan", "raised.yaml", "shown.yaml"], &["--max-new-actions", "0"]);
    assert!(lowered.code == 0 && lowered.out.contains("mode: enforce -> dry-run"), "{lowered}");
    // A step that was held below its policy.
    past.write("held.yaml", &policies.replace("{restart: {}, ", "{restart: {}, mode: dry-run, "));
    let ran = past.run(&["plan", "held.yaml", "raised.yaml"], &["--max-new-actions", "5"]);
    assert!(ran.code == 1 && ran.out.contains("ladder[0].mode: dry-run -> -"), "{ran}");
}

#[test]
fn what_is_added_and_what_is_altered_pass_a_gate_only_together() {
    let past = Past::new();
    let shown = POLICIES.replace("COOLDOWN", "30m").replace("mode: enforce", "mode: dry-run");
    past.write("shown.yaml", &shown);
    let gate = |most| past.run(&["plan", "shown.yaml", "new.yaml"], &["--max-new-actions", most]);
    let refused = gate("7");
    insta::assert_snapshot!("plan-gate-altered", format!("exit {}\n{}", refused.code, refused.err));
    assert_eq!(gate("8").code, 0, "six in a higher mode and two that are new");
}

#[test]
fn an_action_with_other_parameters_is_altered() {
    let past = Past::new();
    let scale = |to: &str| {
        let scale =
            format!("ladder: [{{scale: {to}, revert: {{after: 1h}}, verify: {{rollout: complete}}}}]");
        let restart = "ladder: [{restart: {}, verify: {rollout: complete}}, {scale: {by: 1, max: 5}, verify: {rollout: complete}}]";
        POLICIES.replace("COOLDOWN", "30m").replace(restart, &scale)
    };
    past.write("six.yaml", &scale("{to: 6, max: 10}"));
    past.write("none.yaml", &scale("{to: 0, allowDown: true}").replace("after: 1h", "after: 2h"));
    let ran = past.run(&["plan", "six.yaml", "none.yaml"], &["-o", "markdown", "--max-new-actions", "5"]);
    insta::assert_snapshot!("plan-altered", ran.to_string().split("What history").next().unwrap_or_default());
    assert_eq!(ran.code, 1);
    let table = past.run(&["plan", "six.yaml", "none.yaml"], &["--max-new-actions", "6"]);
    insta::assert_snapshot!(
        "plan-altered-table",
        table.to_string().split("what history").next().unwrap_or_default()
    );
    assert_eq!(table.code, 0);
}

#[test]
fn what_no_alert_of_the_past_shows_is_named_all_the_same() {
    let past = Past::new();
    let old = POLICIES.replace("COOLDOWN", "30m");
    let written = |name: &str, text: &str| {
        past.write("other.yaml", text);
        let ran =
            past.run(&["plan", "old.yaml", "other.yaml"], &["-o", "markdown", "--max-new-actions", "0"]);
        let (_, from) = ran.out.split_once("**No action").unwrap_or_default();
        let shown = from.split("<details>").next().unwrap_or_default();
        format!("{name}: exit {}\n**No action{}\n", ran.code, shown.trim_end())
    };
    let all = [
        written(
            "a looser guard",
            &old.replace("limits:", "inStorm: act, blastRadius: {unavailable: off}, limits:"),
        ),
        written(
            "a later rung",
            &old.replace(
                "{by: 1, max: 5}, verify: {rollout: complete}}]\n  guards",
                "{to: 0, allowDown: true}}]\n  guards",
            ),
        ),
        written(
            "a new policy",
            &format!(
                "{old}---\n{}",
                old.split("---\n")
                    .next()
                    .unwrap_or_default()
                    .replace("restart-cart", "restart-all")
                    .replace("CartErrors", "AllErrors")
            ),
        ),
        written(
            "words alone",
            &old.replace("  mode: enforce", "  description: Other words.\n  mode: enforce"),
        ),
    ];
    insta::assert_snapshot!("plan-written-otherwise", all.join("\n"));
}

/// A facts-less past is no judge of who asks for facts, nor one of another cluster, nor one without its alerts.
#[test]
fn what_cannot_be_judged_passes_no_gate() {
    let past = Past::new();
    let gate = |old: &str, new: &str, more: &[&str]| {
        past.run(&["plan", old, new], &[&["-o", "markdown", "--max-new-actions", "0"], more].concat())
    };
    let when = POLICIES.replace("COOLDOWN", "30m");
    past.write("asks.yaml", &when.replace("is: \"> 1\"", "is: \"> 0\""));
    let ran = gate("old.yaml", "asks.yaml", &[]);
    assert!(ran.out.contains("1 policy is written otherwise, and not all could be judged**"), "{ran}");
    assert!(ran.code == 1 && ran.err.contains("and 1 case cannot be judged: a fact"), "{ran}");

    let kind = "apiVersion: paramedic.dev/v1alpha1\nkind: Configuration\n";
    past.write("prod.conf.yaml", &format!("{kind}cluster: {{name: prod}}\n"));
    let ran = gate("old.yaml", "new.yaml", &["--config", &past.path("prod.conf.yaml")]);
    assert!(ran.code == 1 && ran.err.contains("no case of 11 alerts could be judged"), "{ran}");
    past.write("none.yaml", &when.replace("alertname=\"", "alertname=\"No"));
    past.write("nothing.yaml", &when.replace("alertname=\"", "alertname=\"No").replace("30m", "5m"));
    assert_eq!(gate("none.yaml", "none.yaml", &[]).code, 0, "there is nothing to judge");
    let ran = gate("none.yaml", "nothing.yaml", &[]);
    assert!(ran.code == 1 && ran.err.contains("no case of 11 alerts could be judged"), "{ran}");
}

/// In life a rehearsal takes nobody's room, and the replay rehearses everything.
#[test]
fn a_mode_that_is_lowered_may_make_room_for_others() {
    let past = Past::new();
    let one = |name: &str, mode: &str, guards: &str| {
        let text = POLICIES.split("---\n").next().unwrap_or_default().replace("restart-cart", name);
        let text = text.replace("COOLDOWN", "0s").replace("mode: enforce", &format!("mode: {mode}"));
        text.replace("limits: [{max: 3, per: 1d, by: policy}]", guards)
    };
    let both = |mode: &str, guards: &str| {
        format!("{}---\n{}", one("aaa", mode, guards), one("bbb", "enforce", guards))
    };
    past.write("both.yaml", &both("enforce", "limits: []"));
    past.write("one.yaml", &both("dry-run", "limits: []"));
    let ran = past.run(&["plan", "both.yaml", "one.yaml"], &["-o", "markdown", "--max-new-actions", "0"]);
    insta::assert_snapshot!("plan-lowered", ran.to_string().split("<details>").next().unwrap_or_default());
    assert!(ran.code == 1 && ran.err.contains("had to make room for others that only rehearse"), "{ran}");
    past.write("alone.yaml", &one("aaa", "enforce", "limits: [{max: 3, per: 1d, by: policy}]"));
    past.write("shown.yaml", &one("aaa", "dry-run", "limits: [{max: 3, per: 1d, by: policy}]"));
    let alone = past.run(&["plan", "alone.yaml", "shown.yaml"], &["--max-new-actions", "0"]);
    assert!(alone.code == 0 && alone.out.contains("in a lower mode  6"), "{alone}");
}

/// GitHub takes 65,536 characters. Four full tables, and much that is written otherwise and cannot be judged.
#[test]
fn the_largest_change_fits_into_a_comment() {
    let past = Past::new();
    let policy = |name: &str, on: &str, more: &str, to: u32| {
        format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: {name}}}\nspec:\n  \
             match: ['alertname=\"CartErrors\"', 'deployment=~\"{}|{on}.*\"']\n  {more}\n  \
             target: {{kind: Deployment, namespace: shop, name: \"{{{{ labels.deployment }}}}\"}}\n  \
             ladder: [{{scale: {{to: {to}, max: {}}}, revert: {{after: {to}m}}, verify: {{rollout: complete}}}}]\n",
            "z".repeat(150),
            to + 5
        )
    };
    let policies = |mine: &str, wait: &str, is: &str, to: u32| {
        let query = |number: usize| {
            format!(r#"{{query: 'sum(rate(x{number}{{a="{}"}}[5m]))', is: "{is}"}}"#, "y".repeat(200))
        };
        let when: Vec<String> = (0..20).map(query).collect();
        let asks =
            |number| policy(&format!("asks-{number}"), "d", &format!("when: [{}]", when.join(", ")), 3);
        let all = [policy(mine, "a", "", 3), policy("later", "b", wait, 3), policy("other", "c", "", to)];
        all.into_iter().chain((0..10).map(asks)).collect::<Vec<_>>().join("---\n")
    };
    past.write("old.yaml", &policies("old", "for: 0s", "> 1", 2));
    past.write("new.yaml", &policies("new", "for: 1m", "> 2", 3));
    let long = |n: i64| {
        let on = ["a", "b", "c", "d"][usize::try_from(n % 4).unwrap_or_default()];
        alert("CartErrors", &format!("{on}{}{n}", "nnnnnnnnn.".repeat(20)), n * 70, n * 70 + 60)
    };
    past.write("alerts.jsonl", &(0..160).map(long).collect::<Vec<_>>().join("\n"));
    let ran = past.run(&["plan", "old.yaml", "new.yaml"], &["-o", "markdown"]);
    for part in ["Added", "Removed", "Altered", "At another time"] {
        assert!(ran.out.contains(&format!("<summary>{part}: 40</summary>")), "{part}: {ran}");
    }
    assert!(ran.code == 0 && ran.out.contains("more lines; --output json has all"), "{ran}");
    let length = ran.out.chars().count();
    assert!((30_000..65_536).contains(&length), "{length}");
}

#[test]
fn a_cap_that_is_lifted_lets_all_happen_that_it_held_back() {
    let past = Past::new();
    let config = |name: &str, mode: &str| {
        let kind = "apiVersion: paramedic.dev/v1alpha1\nkind: Configuration\n";
        past.write(name, &format!("{kind}mode: {mode}\n"));
        past.path(name)
    };
    let (shown, enforced) = (config("shown.conf.yaml", "dry-run"), config("enforced.conf.yaml", "enforce"));
    let plan = |from: &str, to: &str| {
        let configs = ["--config", from, "--new-config", to, "--max-new-actions", "5"];
        past.run(&["plan", "old.yaml", "old.yaml"], &configs)
    };
    let ran = plan(&shown, &enforced);
    assert!(ran.code == 1 && ran.out.contains("(settings)  mode: dry-run -> enforce"), "{ran}");
    assert!(ran.err.contains("alters 6, the first of restart-cart, mode: dry-run -> enforce"), "{ran}");
    assert_eq!((plan(&enforced, &shown).code, plan(&shown, &shown).code), (0, 0));
    // Whatever cap is configured, the daemon may run under another.
    past.write("shown.yaml", &POLICIES.replace("COOLDOWN", "30m").replace("mode: enforce", "mode: dry-run"));
    let configs = ["--config", &enforced, "--new-config", &shown, "--max-new-actions", "5"];
    let ran = past.run(&["plan", "shown.yaml", "old.yaml"], &configs);
    assert!(ran.code == 1 && ran.err.contains("restart-cart, mode: dry-run -> enforce"), "{ran}");
}

#[test]
fn a_past_without_an_alert_lets_no_change_through() {
    let past = Past::new();
    let quiet = ["--until", "2026-01-01T00:00:00Z"];
    let gate = [&quiet[..], &["--max-new-actions", "0"]].concat();
    let ran = past.run(&["plan", "old.yaml", "new.yaml"], &gate);
    assert!(ran.code == 1 && ran.err.contains("no alert began from"), "{ran}");
}

#[test]
fn what_cannot_be_replayed_is_the_users_fault() {
    let past = Past::new();
    past.write(
        "broken.yaml",
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {name: x}\n",
    );
    let broken = past.run(&["backtest", "--policies", "broken.yaml"], &[]);
    assert_eq!(broken.code, 1);
    assert!(broken.err.contains("nothing was replayed"), "{broken}");
    past.write("alerts.jsonl", "{\"labels\": 1}");
    let no_alerts = past.run(&["backtest", "--policies", "old.yaml"], &[]);
    assert_eq!(no_alerts.code, 1);
    assert!(no_alerts.err.contains("alerts.jsonl:1:13: missing field `startsAt`\n"), "{no_alerts}");
    let folder = past.0.path().display().to_string();
    let folder =
        paramedic(&["backtest", "--policies", &past.path("old.yaml"), "--from", "file", "--input", &folder]);
    assert!(folder.code == 1 && folder.err.contains(": it is a folder\nhint: "), "{folder}");
    let nothing = paramedic(&["backtest", "--policies", &past.path("old.yaml"), "--from", "file"]);
    assert_eq!((nothing.code, nothing.err.lines().next()), (1, Some("error: no file is named")));
    let nowhere = paramedic(&["backtest", "--policies", &past.path("old.yaml"), "--from", "prometheus"]);
    assert_eq!((nowhere.code, nowhere.err.lines().next()), (1, Some("error: no Prometheus is named")));
}

#[test]
fn our_own_journal_reproduces_every_live_verdict() {
    let past = Past::new();
    past.write("live.yaml", super::fixture::POLICY);
    let journal = super::fixture::journal();
    let policies = past.path("live.yaml");
    let backtest = ["backtest", "--policies", &policies, "--from", "audit"];
    let ran = paramedic(&[&backtest[..], &["--data-dir", journal.path()]].concat());
    insta::assert_snapshot!("backtest-audit", ran);

    let lines: Vec<String> = journal
        .records
        .iter()
        .map(|record| serde_json::to_string(record).expect("a record is written"))
        .collect();
    past.write("audit.jsonl", &lines.join("\n"));
    let file = past.path("audit.jsonl");
    let exported = paramedic(&[&backtest[..], &["--input", &file]].concat());
    assert_eq!(exported.out, ran.out, "an export is as good as the journal");

    // What today's engine would not have decided is shown.
    let other = lines
        .iter()
        .map(|line| line.replace("\"verdict\":{\"is\":\"act\"}", "\"verdict\":{\"is\":\"withhold\"}"));
    past.write("audit.jsonl", &other.collect::<Vec<_>>().join("\n"));
    let differs = paramedic(&[&backtest[..], &["--input", &file]].concat());
    let shown: Vec<&str> =
        differs.out.lines().filter(|line| line.trim_start().starts_with("record ")).collect();
    assert!(!shown.is_empty() && shown[0].contains("withhold cart-errors; now act cart-errors"), "{differs}");
}

#[test]
fn an_alert_without_an_end_fires_on_and_the_report_says_until_when() {
    let past = Past::new();
    let open = r#"[{"labels":{"alertname":"CartErrors","namespace":"shop","deployment":"cart"},"startsAt":"2026-11-01T08:30:00Z"}]"#;
    past.write("alerts.jsonl", open);
    past.write(
        "young.yaml",
        &POLICIES.replace("COOLDOWN", "30m").replace(
            "  target: {kind: Deployment, namespace: \"{{",
            "  for: 2m\n  target: {kind: Deployment, namespace: \"{{",
        ),
    );
    let ran = past.run(&["backtest", "--policies", "young.yaml"], &[]);
    assert!(ran.out.contains("from 2026-11-01 08:30 to 2026-11-01 13:30 (UTC)"), "{ran}");
    assert!(ran.out.contains("what came of 1 alert that fires at the end: no end is told"), "{ran}");
    assert!(
        ran.out.lines().any(|line| line.trim_start().starts_with("actions  ") && line.contains("  1  ")),
        "{ran}"
    );
    // Where somebody says when the past ends, it ends there.
    let until = past.run(&["backtest", "--policies", "young.yaml"], &["--until", "2026-11-01T08:31:00Z"]);
    assert!(
        until.out.contains("to 2026-11-01 08:31 (UTC)") && !until.out.contains("no end is told"),
        "{until}"
    );
}

#[test]
fn what_fires_already_at_since_is_replayed_and_said() {
    let past = Past::new();
    let ran = past.run(&["backtest", "--policies", "old.yaml"], &["--since", "2026-11-01T01:10:00Z"]);
    // The disk fills since ten past midnight, the cart is ill since one.
    assert!(
        ran.out.contains("what came of 2 alerts that fired already at --since: each counts as begun then"),
        "{ran}"
    );
    assert!(ran.out.contains("from 2026-11-01 01:10"), "{ran}");
}

#[test]
fn an_export_without_its_first_records_has_nothing_to_compare() {
    let past = Past::new();
    past.write("live.yaml", super::fixture::POLICY);
    let journal = super::fixture::journal();
    let ruled = journal.records.iter().position(|record| matches!(record.event, Event::Ruled { .. }));
    let rest = &journal.records[ruled.expect("something was ruled")..];
    let lines: Vec<String> =
        rest.iter().map(|record| serde_json::to_string(record).expect("a record is written")).collect();
    past.write("rest.jsonl", &lines.join("\n"));
    let (policies, file) = (past.path("live.yaml"), past.path("rest.jsonl"));
    let ran = paramedic(&["backtest", "--policies", &policies, "--from", "audit", "--input", &file]);
    let verdicts: Vec<&str> = ran.out.lines().skip_while(|line| *line != "live verdicts").take(3).collect();
    assert!(verdicts[1].trim_start().starts_with("0 compared"), "{ran}");
    assert!(verdicts[2].contains("2 not comparable"), "{ran}");
    assert!(!ran.out.contains("1970"), "the period is that of the records: {ran}");
}

#[test]
fn a_plan_says_what_another_configuration_would_have_read_otherwise() {
    let past = Past::new();
    past.write("config.yml", "apiVersion: paramedic.dev/v1alpha1\nkind: Configuration\n");
    let other = "apiVersion: paramedic.dev/v1alpha1\nkind: Configuration\nredaction: {labels: [pod]}\nfacts: {retry: 1m}\n";
    past.write("other.yml", other);
    let (old, new) = (past.path("config.yml"), past.path("other.yml"));
    let plan =
        |new: &str| past.run(&["plan", "old.yaml", "old.yaml"], &["--config", &old, "--new-config", new]);
    let ran = plan(&new);
    assert!(ran.out.contains("what --new-config changes of facts, redaction: labels and answers"), "{ran}");
    assert!(!plan(&old).out.contains("what --new-config changes"), "nothing changes");
    past.write(
        "other.yml",
        "apiVersion: paramedic.dev/v1alpha1\nkind: Configuration\nkubernetes: {context: prod}\n",
    );
    let ran = plan(&new);
    assert!(ran.out.contains("what --new-config changes of kubernetes: no decision depends on it"), "{ran}");
}

/// The past that was read is all that there is of it.
#[test]
fn a_page_never_takes_the_place_of_what_is_read() {
    let past = Past::new();
    for name in ["alerts.jsonl", "old.yaml"] {
        let before = std::fs::read_to_string(past.path(name)).expect("it is there");
        let ran = past.run(&["backtest", "--policies", "old.yaml"], &["--html", &past.path(name)]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran}");
        assert!(ran.err.contains(&format!("{name}: it would overwrite ")), "{ran}");
        assert!(std::fs::read_to_string(past.path(name)).expect("it is there") == before, "{name}");
    }
}
