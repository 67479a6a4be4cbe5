//! The tutorial, run as it is written: its files are written, its commands are typed into a shell in a folder of their own,
//! in order, against a real Prometheus with two weeks of made-up alerts, an Alertmanager and an API server. What is said must
//! be what the page shows, but for what differs each time (see [`placeholders`]).
//!
//! `UPDATE_TUTORIAL=1 cargo test -p paramedic-tests --test tutorial` writes the page anew from what was really said.

mod page;
mod placeholders;
mod stage;

use std::fmt::Write as _;

use paramedic_tests::peers::repository;

use page::{Part, parts};
use placeholders::told;
use stage::Stage;

const PAGE: &str = "ops/docs/tutorial.md";

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_tutorial_says_what_the_page_shows() {
    let path = repository().join(PAGE);
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let Some(mut stage) = Stage::set().await else { return };
    let update = std::env::var_os("UPDATE_TUTORIAL").is_some();
    let mut written = String::new();
    let mut wrong = String::new();
    for part in parts(&page) {
        match part {
            Part::Prose(text) => written.push_str(text),
            Part::File { name, lines } => {
                stage.write(name, lines);
                let _ = write!(written, "```yaml\n{lines}```\n");
            }
            Part::Happens(what) => {
                for event in what.split(", ") {
                    stage.happens(event).await;
                }
                let _ = writeln!(written, "<!-- test: {what} -->");
            }
            Part::Commands(commands) => {
                written.push_str("```console\n");
                for (command, shown) in commands {
                    let command = stage.with_numbers(command).await;
                    let said = stage.types(&command).await;
                    if told(&command, &said) != told(&command, shown) {
                        let _ = write!(wrong, "\n$ {command}\n--- the page:\n{shown}--- it says:\n{said}");
                    }
                    let _ = write!(written, "$ {command}\n{said}");
                }
                written.push_str("```\n");
            }
        }
    }
    if update {
        std::fs::write(&path, written).expect("the page can be written");
    } else {
        assert!(
            wrong.is_empty(),
            "{PAGE} shows something else. UPDATE_TUTORIAL=1 writes it anew; read the difference then.{wrong}"
        );
    }
}
