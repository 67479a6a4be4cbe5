//! Sources made from text.

use paramedic_policies::book::{Book, Source, SourceFile};
use paramedic_policies::endpoint::{Endpoint, HeaderValue};
use paramedic_policies::load;
use paramedic_policies::notifications::{Receiver, Slack};
use paramedic_policies::settings::Settings;

/// A source of these files.
pub(crate) fn source(files: &[(&str, &str)]) -> Source {
    let mut settings = Settings::default();
    for (name, value) in
        [("tier", "gold"), ("namespaces", "maestro|maestro-staging"), ("jobs", "backup|retention")]
    {
        settings.vars.insert(name.to_owned(), value.to_owned());
    }
    let headers = [("X-Team".to_owned(), HeaderValue::Text("sre".to_owned()))].into();
    let queue = Endpoint { url: "http://queues:8080".to_owned(), ca_file: None, headers };
    settings.endpoints.insert("dlq".to_owned(), queue);
    for name in ["sre-pager", "database-team", "data-team", "security", "security-team"] {
        let slack = Some(Slack { url_file: format!("/run/{name}") });
        settings.notifications.receivers.insert(name.to_owned(), Receiver { slack, ..Receiver::default() });
    }
    let files = files
        .iter()
        .map(|(path, text)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect();
    Source { files, settings, tzdb: "test".to_owned() }
}

/// The book of one file that must load.
pub(crate) fn book(text: &str) -> Book {
    match load::book(source(&[("good.yaml", text)])) {
        Ok(book) => book,
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{text}\ndoes not load:\n{}", problems.join("\n"))
        }
    }
}

/// Everything there is to say about these files.
pub(crate) fn said(files: &[(&str, &str)]) -> String {
    let problems = load::check(source(files)).problems;
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
