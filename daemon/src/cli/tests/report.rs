//! `audit report`: what a reader of Markdown sees, how the HTML file is built, and that nothing which an alert says can
//! leave its place in either.

use std::path::Path;

use paramedic_policies::action::Outcome;

use super::fixture::{self, Fixture, Tale};
use super::paramedic;

fn report(journal: &Fixture, more: &[&str]) -> String {
    let mut args = vec!["audit", "report", "--data-dir", journal.path()];
    args.extend(more);
    let ran = paramedic(&args);
    assert_eq!(ran.code, 0, "{ran}");
    ran.out
}

#[test]
fn an_incident_reads_well_in_markdown() {
    let journal = fixture::journal();
    insta::assert_snapshot!(report(&journal, &["--intent", &journal.seq_of("intended", 0)]));
}

#[test]
fn a_window_has_figures_of_each_policy() {
    let journal = fixture::journal();
    insta::assert_snapshot!(report(&journal, &["--since", "1h"]));
    let json: serde_json::Value =
        serde_json::from_str(&report(&journal, &["--since", "1h", "--output", "json"])).expect("JSON");
    let policy = &json["policies"][0];
    assert_eq!((&policy["policy"], &policy["helped"]), (&"cart-errors".into(), &1.into()));
    // The alert began at 08:59:30 and was received at 09:00:00; the check held at 09:04.
    assert_eq!(policy["times"]["detect"]["medianMs"], 30_000);
    assert_eq!(policy["times"]["decide"]["medianMs"], 120_000);
    assert_eq!(policy["times"]["approve"]["medianMs"], "notReached");
    assert_eq!(policy["times"]["remediate"]["p90Ms"], 270_000);
}

#[test]
fn what_is_not_known_is_asked_and_never_a_number() {
    let what = "could not patch shop/deployment/cart: the connection broke".to_owned();
    let journal = fixture::told(Tale { outcome: Outcome::Unknown { what }, words: None });
    insta::assert_snapshot!(report(&journal, &["--episode", &journal.seq_of("opened", 0)]));
    let json: serde_json::Value =
        serde_json::from_str(&report(&journal, &["--since", "1h", "--output", "json"])).expect("JSON");
    let times = &json["policies"][0]["times"];
    assert_eq!(
        (&times["act"]["medianMs"], &times["remediate"]["medianMs"]),
        (&"unknown".into(), &"unknown".into())
    );
    assert_eq!(times["verify"]["medianMs"], "notReached");
}

#[test]
fn an_episode_from_before_the_window_does_not_count() {
    let journal = fixture::journal();
    let text = report(&journal, &["--since", "2026-11-21T09:03:00Z", "--output", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["policies"], serde_json::json!([]));
    assert_eq!(json["incidents"][0]["alert"], "CartErrors", "its opening was fetched");
}

#[test]
fn the_html_file_needs_nothing_else() {
    let journal = fixture::journal();
    let html = report(&journal, &["--since", "1h", "--output", "html"]);
    assert!(html.starts_with("<!doctype html>"));
    for outside in ["http://", "https://", "src=", "@import", "url(http", "<link", "<iframe", "javascript:"] {
        assert!(!html.contains(outside), "{outside} in {}", around(&html, outside));
    }
    assert!(html.contains("default-src &#39;none&#39;"));
    // Both pictures, with a mark for each that leads to its record.
    assert_eq!(html.matches("class=\"picture").count(), 2);
    for record in ["opened", "ruled", "intended", "verified", "paused"] {
        let seq = journal.seq_of(record, 0);
        assert!(html.contains(&format!("href=\"#r{seq}\"")), "no mark of {record}");
        assert!(html.contains(&format!("id=\"r{seq}\"")), "no line of {record}");
    }
    is_well_formed(&html);
}

#[test]
fn a_hostile_alert_stays_text() {
    let words = "</title></svg><script>alert(1)</script><img src=x onerror=alert(1)> | `x` [a](http://evil.test) \
                 @here\n# big\u{202e}\u{1b}[31m \"'";
    let journal =
        fixture::told(Tale { outcome: Outcome::Done { diff: None, already: false }, words: Some(words) });
    let html = report(&journal, &["--since", "1h", "--output", "html"]);
    is_well_formed(&html);
    assert_eq!(html.matches("<script").count(), 1, "only ours");
    assert!(!html.contains("<img") && !html.contains('\u{202e}') && !html.contains('\u{1b}'));
    let markdown = report(&journal, &["--since", "1h"]);
    assert!(!markdown.contains('\u{202e}') && !markdown.contains('\u{1b}'));
    for line in markdown.lines().filter(|line| line.contains("alert(1)")) {
        // What stands between fences is code, whatever it holds; the rest is escaped.
        let outside: String = line.split("``").step_by(2).collect();
        for markup in ["<script", "<img", "[a](http", "://", "@here"] {
            assert!(!outside.contains(markup), "{markup} in {line}");
        }
        assert!(!line.starts_with("# big"), "{line}");
    }
}

fn data(journal: &Fixture, more: &[&str]) -> serde_json::Value {
    let text = report(journal, &[more, &["--output", "json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn what_was_ended_since_is_no_open_question() {
    let journal = fixture::by_hand();
    // The pause began within the episode, and was lifted after its last record.
    for more in [
        ["--episode", &journal.seq_of("opened", 0)],
        ["--since=2026-11-21T08:50:00Z", "--until=2026-11-21T09:10:00Z"],
    ] {
        let json = data(&journal, &more);
        assert_eq!(json["open"], serde_json::json!([]), "{more:?}");
        let timeline = json["timeline"].as_array().expect("a list");
        assert!(timeline.iter().any(|line| line["text"].to_string().contains("paused")), "{more:?}");
        assert!(timeline.iter().all(|line| !line["text"].to_string().contains("ada resumed")), "{more:?}");
    }
}

#[test]
fn what_was_run_by_hand_says_who_and_is_no_measure_of_alerts() {
    let journal = fixture::by_hand();
    let episode = journal.seq_of("opened", 1);
    let json = data(&journal, &["--episode", &episode]);
    assert_eq!(json["title"], format!("search-slow, run by hand (episode {episode})"));
    let people = json["people"].as_array().expect("a list");
    let ran = people.iter().find(|deed| deed["what"].to_string().contains("by hand")).expect("who ran it");
    assert_eq!(
        (&ran["who"], &ran["what"], &ran["comment"]),
        (&"ada".into(), &"ran search-slow by hand".into(), &"a customer called".into())
    );
    let figures = &json["incidents"][0]["cases"][0]["figures"];
    assert_eq!((&figures["detectMs"], &figures["remediateMs"]), (&"notReached".into(), &"notReached".into()));
    assert_eq!(json["incidents"][0]["startsAt"], serde_json::Value::Null);
    let window = data(&journal, &["--since", "1h"]);
    let search =
        window["policies"].as_array().expect("a list").iter().find(|one| one["policy"] == "search-slow");
    let times = &search.expect("it spoke")["times"];
    assert_eq!((&times["detect"]["count"], &times["remediate"]["count"]), (&0.into(), &0.into()));
    for format in ["markdown", "html"] {
        let text = report(&journal, &["--episode", &episode, "--output", format]);
        assert!(text.contains("ordered") && !text.contains("startsAt)<") && !text.contains("fires since"));
        assert!(text.contains("search-slow, run by hand"), "{text}");
    }
}

#[test]
fn a_file_never_holds_another_format_than_its_name_says() {
    let journal = fixture::journal();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.html");
    let path = file.to_str().expect("UTF-8");
    let args = ["audit", "report", "--data-dir", journal.path(), "--since", "1h", "--file", path];
    let ran = paramedic(&[&args[..], &["-o", "json"]].concat());
    assert!(ran.code == 1 && ran.err.contains("a.html would hold json, and is named as html"), "{ran}");
    assert!(!file.exists());
    assert_eq!(paramedic(&[&args[..], &["-o", "html"]].concat()).code, 0);
    #[cfg(unix)]
    {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&file.metadata().expect("it is there").permissions());
        assert_eq!(mode & 0o777, 0o600, "a report holds what logs say");
    }
    let names = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(names, 1, "nothing is left beside it");
}

#[test]
fn a_file_without_a_place_is_told_before_anything_is_read() {
    let journal = fixture::journal();
    let inside = Path::new(journal.path()).join("new.html").display().to_string();
    for (path, says) in [
        ("nodir/a.html", "nodir/a.html: there is no folder nodir\nhint: make the folder"),
        (inside.as_str(), "new.html: it would overwrite a file of "),
    ] {
        let args = ["audit", "report", "--data-dir", journal.path(), "--since", "1h", "--file", path];
        let ran = paramedic(&args);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran}");
        assert!(ran.err.contains(says), "{ran}");
    }
}

#[test]
fn the_ending_of_the_file_chooses_the_format() {
    let journal = fixture::journal();
    let folder = tempfile::tempdir().expect("a folder");
    for (name, begins) in [("a.html", "<!doctype"), ("a.md", "# "), ("a.json", "{"), ("a", "# ")] {
        let file = folder.path().join(name);
        let path = file.to_str().expect("UTF-8");
        let ran =
            paramedic(&["audit", "report", "--data-dir", journal.path(), "--since", "1h", "--file", path]);
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran}");
        let text = std::fs::read_to_string(&file).expect("it was written");
        assert!(text.starts_with(begins), "{name}: {}", &text[..20]);
    }
}

#[test]
fn what_has_no_story_says_what_has() {
    let journal = fixture::journal();
    let mut text = String::new();
    for more in [
        ["--episode", "999"],
        ["--episode", &journal.seq_of("paused", 0)],
        ["--intent", &journal.seq_of("opened", 0)],
    ] {
        let mut args = vec!["audit", "report", "--data-dir", journal.path()];
        args.extend(more);
        let ran = paramedic(&args);
        assert_eq!(ran.code, 1, "{ran}");
        text += &ran.err;
    }
    insta::assert_snapshot!(text);
}

/// Every element is closed in its order.
fn is_well_formed(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(begin) = rest.find('<') {
        let tag = &rest[begin + 1..];
        let end = tag.find('>').expect("a tag ends");
        let (inside, after) = (&tag[..end], &tag[end + 1..]);
        rest = after;
        let name = inside.trim_start_matches('/').split([' ', '\n']).next().expect("a name");
        match name {
            "!doctype" | "meta" => {}
            _ if inside.ends_with('/') => {}
            _ if inside.starts_with('/') => assert_eq!(open.pop(), Some(name), "{}", around(html, inside)),
            "style" | "script" => {
                rest = rest.split_once(&format!("</{name}>")).expect("it ends").1;
            }
            _ => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn around<'t>(text: &'t str, what: &str) -> &'t str {
    let at = text.find(what).unwrap_or(0);
    let from = text.floor_char_boundary(at.saturating_sub(80));
    &text[from..text.ceil_char_boundary((at + 80).min(text.len()))]
}

/// A device or a pipe keeps what it is, and a link leads where it led.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_written_to_and_never_replaced() {
    use std::os::unix::fs::FileTypeExt as _;

    let journal = fixture::journal();
    let dir = tempfile::tempdir().expect("a folder");
    let write = |path: &std::path::Path| {
        let path = path.to_str().expect("UTF-8");
        paramedic(&[
            "audit",
            "report",
            "--data-dir",
            journal.path(),
            "--since",
            "1h",
            "--file",
            path,
            "-o",
            "json",
        ])
    };
    let full = std::path::Path::new("/dev/full");
    let ran = write(full);
    assert!(ran.code == 1 && ran.err.contains("could not write /dev/full"), "{ran}");
    assert!(std::fs::metadata(full).expect("it is there").file_type().is_char_device());

    let (file, link) = (dir.path().join("kept"), dir.path().join("link"));
    std::fs::write(&file, "old").expect("a file");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    assert_eq!(write(&link).code, 0);
    assert!(std::fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert!(std::fs::read_to_string(&file).expect("text").starts_with('{'));
}
