//! One alert against 10, 1,000 and 10,000 policies; and loading them. `cargo bench -p paramedic-policies --bench matching`
//!
//! `spread` is the usual case, an alertname each; `one_alertname` tells them apart by namespace; `expressions` only by
//! a few regular expressions, which no index can look up.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use paramedic_policies::alert::Labels;
use paramedic_policies::book::{Book, Source, SourceFile};
use paramedic_policies::load;
use paramedic_policies::settings::Settings;

const SIZES: [usize; 3] = [10, 1_000, 10_000];

fn source(count: usize, matchers: impl Fn(usize) -> String) -> Source {
    let mut text = String::new();
    for number in 0..count {
        text.push_str(&format!(
            "---\napiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: p{number}}}\nspec:\n  match: [{}]\n  target: {{kind: Deployment, namespace: \"{{{{ labels.namespace }}}}\", name: web}}\n  ladder: [{{restart: {{}}, verify: {{rollout: complete}}}}]\n",
            matchers(number)
        ));
    }
    let files = vec![SourceFile { path: "all.yaml".to_owned(), text }];
    Source { files, settings: Settings::default(), tzdb: String::new() }
}

fn book(source: Source) -> Book {
    load::book(source).unwrap_or_else(|problems| panic!("{}", problems[0]))
}

fn alert() -> Labels {
    [
        ("alertname", "A7"),
        ("namespace", "n7"),
        ("severity", "critical"),
        ("pod", "web-7"),
        ("cluster", "c"),
        ("job", "j"),
        ("instance", "i"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn matching(criterion: &mut Criterion) {
    type Matchers = fn(usize) -> String;
    let kinds: [(&str, Matchers); 3] = [
        ("spread", |number| format!("'alertname=\"A{number}\"', 'severity=~\"critical|page\"'")),
        ("one_alertname", |number| {
            format!("'alertname=\"A7\"', 'namespace=\"n{number}\"', 'severity=~\"critical|page\"'")
        }),
        ("expressions", |number| format!("'alertname=\"A7\"', 'pod=~\"(web|api)-{}[0-9]*\"'", number % 50)),
    ];
    for (kind, matchers) in kinds {
        let mut group = criterion.benchmark_group(format!("matching/{kind}"));
        group
            .sample_size(20)
            .measurement_time(Duration::from_secs(2))
            .warm_up_time(Duration::from_millis(500));
        for size in SIZES {
            let book = book(source(size, matchers));
            let alert = alert();
            group.bench_with_input(BenchmarkId::from_parameter(size), &book, |bencher, book| {
                bencher.iter(|| black_box(book.matching(black_box(&alert)).len()));
            });
        }
        group.finish();
    }
}

fn loading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loading");
    group.sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    for size in SIZES {
        let source =
            source(size, |number| format!("'alertname=\"A{number}\"', 'severity=~\"critical|page\"'"));
        group.bench_with_input(BenchmarkId::from_parameter(size), &source, |bencher, source| {
            bencher.iter(|| black_box(book(source.clone()).policies().len()));
        });
    }
    group.finish();
}

criterion_group!(benches, matching, loading);
criterion_main!(benches);
