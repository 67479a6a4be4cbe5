//! Other documents, such as the daemon's configuration: read by serde, with the place of every mistake.

use std::collections::BTreeMap;

use paramedic_policies::load;
use paramedic_policies::settings::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings as a document, as the daemon's configuration holds them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    /// `Configuration`.
    kind: String,
    /// The settings.
    #[serde(default)]
    spec: Settings,
    /// A map of anything.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A number with an own rule.
    #[serde(default)]
    even: Even,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
struct Even(u32);

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u32::deserialize(from)? {
            odd if odd % 2 == 1 => Err(serde::de::Error::custom(format!("{odd} is odd"))),
            even => Ok(Self(even)),
        }
    }
}

#[test]
fn a_good_document_is_read() {
    let text = "kind: Configuration\nspec:\n  mode: enforce\n  vars: {tier: gold}\n  guards:\n    storm: {calm: 5m}\n    limits: [{max: 3, per: 1h, by: global}]\n";
    let read: Document = load::read("paramedic.yaml", text).expect("it reads");
    assert_eq!(read.spec.vars["tier"], "gold");
    assert_eq!(read.spec.guards.storm.calm.to_string(), "5m");
    assert_eq!(read.spec.guards.storm.alerts_per_minute, 50);
}

#[test]
fn every_mistake_of_a_document_has_its_place() {
    let mut told = String::new();
    for text in [
        "",
        "kind: Configuration\n---\nkind: Configuration\n",
        "spec: {mode: enforced}\n",
        "kind: Configuration\nspec:\n  mod: enforce\n  vars: {tier: 1, flag: true}\n  guards:\n    storm: {alertsPerMinute: many, targetsFiringPercent: 300, calm: 5}\n    limits: {max: 3}\n    confirmation: \"no\"\n    pace: {every: soon, burst: -1}\n",
        "kind: Configuration\nspec:\n  guards:\n    limits:\n      - {max: 3}\n      - {max: 3, per: 1 moon, by: pod}\n",
        "kind: Configuration\neven: 3\nheaders: {a: [b]}\n",
        "kind: Configuration\neven: 3\n",
        "- a\n",
        "kind: [\n",
    ] {
        let problems = load::read::<Document>("paramedic.yaml", text).expect_err(text);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.push_str(&format!("{text}=>\n{}\n\n", problems.join("\n")));
    }
    insta::assert_snapshot!("documents", told);
}
