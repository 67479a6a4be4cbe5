//! Logs to stderr, as text or JSON, every line redacted on its way out, every event one line. What libraries log bears
//! where it is from, and of which cluster it is: their sentences alone say neither.

use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Full, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{LogFormat, LogSettings};
use crate::redaction::Redactor;

/// The cluster of this process, for lines of its client.
static CLUSTER: OnceLock<String> = OnceLock::new();

/// Lines of kube's client are of this cluster from now on; only the first call in a process does anything.
pub fn name_cluster(url: &str) {
    // A second daemon in one process (a test) has the first one's name on such lines.
    drop(CLUSTER.set(url.to_owned()));
}

/// What to log.
///
/// # Errors
/// What is wrong with the directives.
pub fn directives(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder()
        .parse(level)
        .map_err(|error| format!("`{}` is not a log level: {error}", level.escape_debug()))
}

/// Begins to log; only the first call in a process does anything.
///
/// # Errors
/// When the level is not one.
pub fn begin(settings: &LogSettings, redactor: &Redactor) -> Result<(), String> {
    let filter = directives(&settings.level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        // What cannot be logged (a full disk) is said on stderr otherwise, which is the log: that panics.
        .log_internal_errors(false)
        .with_writer(Redacted { redactor: redactor.clone() });
    // A second daemon in one process (the demo, a test) logs where the first does.
    let _already = match settings.format {
        LogFormat::Text => builder.event_format(text()).try_init(),
        LogFormat::Json => builder.fmt_fields(JsonFields::new()).event_format(json()).try_init(),
    };
    Ok(())
}

/// Lines for people: our own need not say where they are from.
fn text() -> Lines<Format<Full>> {
    let ours = tracing_subscriber::fmt::format().with_ansi(false).with_target(false);
    Lines {
        others: ours.clone().with_target(true),
        ours,
        cluster: |line, url| format!("{line} cluster={url}"),
    }
}

/// Lines for machines.
fn json() -> Lines<Format<Json>> {
    let ours = tracing_subscriber::fmt::format().json().flatten_event(true);
    let cluster = |line: &str, url: &str| match line.strip_suffix('}') {
        Some(object) => format!("{object},\"cluster\":{}}}", serde_json::Value::from(url)),
        None => line.to_owned(),
    };
    Lines { others: ours.clone(), ours, cluster }
}

/// Formats our own lines one way, and those of libraries another.
struct Lines<F> {
    ours: F,
    others: F,
    /// A line with the name of a cluster.
    cluster: fn(&str, &str) -> String,
}

impl<F, S, N> FormatEvent<S, N> for Lines<F>
where
    F: FormatEvent<S, N>,
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let from = event.metadata().target();
        if from.starts_with("paramedic") {
            return self.ours.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.others.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        match CLUSTER.get().filter(|_| from.starts_with("kube")) {
            Some(url) => writeln!(writer, "{}", (self.cluster)(line, url)),
            None => writeln!(writer, "{line}"),
        }
    }
}

/// Stderr, redacted line by line: the formatter hands over one whole event at a time.
#[derive(Debug, Clone)]
struct Redacted {
    redactor: Redactor,
}

impl<'w> MakeWriter<'w> for Redacted {
    type Writer = Self;
    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Write for Redacted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => io::stderr().write_all(one_line(&self.redactor.text(text)).as_bytes())?,
            Err(_) => io::stderr().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// An event as one line: tools cut what goes on in a second one, and a hint often does.
fn one_line(event: &str) -> String {
    let (text, end) = event.strip_suffix('\n').map_or((event, ""), |text| (text, "\n"));
    let parts: Vec<&str> = text.split('\n').map(str::trim).filter(|part| !part.is_empty()).collect();
    format!("{}{end}", parts.join(" | "))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panics").extend_from_slice(line);
            Ok(line.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().expect("no panics").clone();
            String::from_utf8(bytes).expect("UTF-8").lines().map(str::to_owned).collect()
        }
    }

    fn events() {
        tracing::error!(target: "kube_client::client", "failed with status 500 Internal Server Error");
        tracing::warn!(target: "hyper_util::client", "connection closed");
        tracing::info!(target: "paramedic::serve", port = 9911, "paramedic serves");
    }

    #[test]
    fn lines_of_libraries_say_where_they_are_from_and_of_which_cluster() {
        // While there is one subscriber alone, a line that another test's thread logs first is switched off for all.
        let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
        name_cluster("https://10.0.0.1:6443/");
        let cluster = CLUSTER.get().expect("it was named");
        let log = Log::default();
        let writer = log.clone();
        let builder = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        tracing::subscriber::with_default(builder.event_format(text()).finish(), events);
        let [kube, hyper, ours] = log.lines().try_into().expect("three lines");
        let wanted = format!(
            "ERROR kube_client::client: failed with status 500 Internal Server Error cluster={cluster}"
        );
        assert!(kube.ends_with(&wanted), "{kube}");
        assert!(hyper.ends_with("WARN hyper_util::client: connection closed"), "{hyper}");
        assert!(ours.ends_with("INFO paramedic serves port=9911"), "{ours}");

        let log = Log::default();
        let writer = log.clone();
        let builder = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        let builder = builder.fmt_fields(JsonFields::new()).event_format(json());
        tracing::subscriber::with_default(builder.finish(), events);
        let lines: Vec<serde_json::Value> =
            log.lines().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(
            (&lines[0]["target"], &lines[0]["cluster"]),
            (&"kube_client::client".into(), &cluster.as_str().into())
        );
        assert_eq!((&lines[2]["port"], &lines[2]["cluster"]), (&9911.into(), &serde_json::Value::Null));
    }

    #[test]
    fn an_event_is_one_line() {
        let event = "ERROR policies refused problem=a.yaml:3:1: error: no\n  hint: yes\n";
        assert_eq!(one_line(event), "ERROR policies refused problem=a.yaml:3:1: error: no | hint: yes\n");
    }
}
