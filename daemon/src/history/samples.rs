//! Raw samples of series as Prometheus answers them. Reads in one pass, and must never build a tree of the whole answer.

use std::borrow::Cow;
use std::fmt;

use paramedic_policies::alert::Labels;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

/// One series of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels, without `__name__` and `alertstate`.
    pub labels: Labels,
    /// When it had a sample: milliseconds since the Unix epoch, in order.
    pub at: Vec<i64>,
    /// Their values, where they are wanted: for `ALERTS_FOR_STATE` since when, in seconds.
    pub values: Vec<f64>,
}

/// What is read of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Their times alone: a value of `ALERTS` is always one, and would take as much room again.
    Times,
    /// Times and values.
    Values,
}

/// Why there are no samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Prometheus says why.
    Said {
        /// Which kind of error, in its words, such as `execution`.
        kind: String,
        /// What it says.
        error: String,
    },
    /// What came is no answer to this question.
    NoAnswer(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { error, .. } | Self::NoAnswer(error) => f.write_str(error),
        }
    }
}

impl Series {
    /// Keeps the samples of these moments alone, which are in order.
    pub fn keep(&mut self, moments: &[i64]) {
        let at = std::mem::take(&mut self.at);
        let values = std::mem::take(&mut self.values);
        let kept = at.into_iter().zip(values).filter(|(at, _)| moments.binary_search(at).is_ok());
        (self.at, self.values) = kept.unzip();
    }

    /// Adds the samples of a later part, of which the first may be the last one here.
    pub fn append(&mut self, later: Self) {
        let last = self.at.last().copied();
        for (at, value) in later.at.into_iter().zip(later.values) {
            if last.is_none_or(|last| at > last) {
                self.at.push(at);
                self.values.push(value);
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "S: Deserialize<'de> + Default")]
struct Answer<S> {
    #[serde(default = "none")]
    data: Option<Data<S>>,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error: Option<String>,
}

fn none<S>() -> Option<Data<S>> {
    None
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "S: Deserialize<'de> + Default")]
struct Data<S> {
    result_type: String,
    #[serde(default = "Vec::new")]
    result: Vec<Row<S>>,
}

#[derive(Deserialize)]
#[serde(bound = "S: Deserialize<'de> + Default")]
struct Row<S> {
    metric: Labels,
    #[serde(default)]
    values: S,
}

/// The series of an answer.
///
/// # Errors
/// With what Prometheus says, or what is wrong with its answer.
pub fn read(body: &[u8], wanted: Wanted) -> Result<Vec<Series>, Problem> {
    match wanted {
        Wanted::Times => rows::<Samples<false>>(body, |samples| samples.0),
        Wanted::Values => rows::<Samples<true>>(body, |samples| samples.0),
    }
}

fn rows<'de, S: Deserialize<'de> + Default>(
    body: &'de [u8],
    taken: fn(S) -> (Vec<i64>, Vec<f64>),
) -> Result<Vec<Series>, Problem> {
    let answer: Answer<S> = serde_json::from_slice(body).map_err(|error| {
        let begin = String::from_utf8_lossy(body.get(..200.min(body.len())).unwrap_or_default()).into_owned();
        Problem::NoAnswer(format!("an answer that is not Prometheus': {error}; it begins with {begin:?}"))
    })?;
    if let Some(error) = answer.error {
        return Err(Problem::Said { kind: answer.error_type, error });
    }
    let data = answer.data.ok_or_else(|| Problem::NoAnswer("an answer without data".to_owned()))?;
    if data.result_type != "matrix" {
        let problem = format!("a {} came back, raw samples were asked for", data.result_type);
        return Err(Problem::NoAnswer(problem));
    }
    let series = data.result.into_iter().map(|row| {
        let mut labels = row.metric;
        labels.remove("__name__");
        labels.remove("alertstate");
        let (at, values) = taken(row.values);
        Series { labels, at, values }
    });
    Ok(series.collect())
}

/// `[[1700000000.123, "1"], ...]`: times, and values where they are wanted.
#[derive(Default)]
struct Samples<const VALUES: bool>((Vec<i64>, Vec<f64>));

impl<'de, const VALUES: bool> Deserialize<'de> for Samples<VALUES> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All<const VALUES: bool>;
        impl<'de, const VALUES: bool> Visitor<'de> for All<VALUES> {
            type Value = Samples<VALUES>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of samples")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Samples<VALUES>, A::Error> {
                let (mut at, mut values) = (Vec::new(), Vec::new());
                while let Some((secs, value)) = list.next_element::<(f64, Cow<'de, str>)>()? {
                    at.push((secs * 1000.0).round() as i64);
                    if VALUES {
                        values.push(value.parse().map_err(de::Error::custom)?);
                    }
                }
                Ok(Samples((at, values)))
            }
        }
        from.deserialize_seq(All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_to_the_millisecond() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"ALERTS","alertname":"X","alertstate":"firing"},
             "values":[[1700000000,"1"],[1700000060.123,"1"]]}]}}"#;
        let series = read(body, Wanted::Values).expect("it reads");
        assert_eq!(series.len(), 1);
        assert_eq!(series[0].labels.keys().collect::<Vec<_>>(), ["alertname"]);
        assert_eq!(series[0].at, [1_700_000_000_000, 1_700_000_060_123]);
        assert_eq!(series[0].values, [1.0, 1.0]);
        let times = read(body, Wanted::Times).expect("it reads");
        assert_eq!((times[0].at.len(), times[0].values.capacity()), (2, 0), "no room for what is always one");
    }

    #[test]
    fn what_is_no_matrix_is_said() {
        let refused = br#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
        let read = |body: &[u8]| read(body, Wanted::Times);
        let (kind, error) = ("execution".to_owned(), "too many samples".to_owned());
        assert_eq!(read(refused), Err(Problem::Said { kind, error }));
        let vector = br#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        let said = |body: &[u8]| read(body).expect_err("no samples").to_string();
        assert_eq!(said(vector), "a vector came back, raw samples were asked for");
        assert!(said(b"<html>").starts_with("an answer that is not Prometheus'"));
    }
}
