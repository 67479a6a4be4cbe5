//! Raw samples of series as Prometheus answers them. Reads in one pass, and must never build a tree of the whole answer.

use std::fmt;

use paramedic_policies::alert::Labels;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

/// One series of a range.
#[derive(Debug, Clone, Default, PartialEq)]
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

/// What an answer holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// The series, each with its samples in order.
    pub series: Vec<Series>,
    /// What the answer says of itself where it is not whole: Thanos leaves out a store that fails, VictoriaMetrics a node.
    pub lacks: Option<String>,
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

impl Series {
    /// Keeps the samples of these moments alone, which are in order.
    pub fn keep(&mut self, moments: &[i64]) {
        let at = std::mem::take(&mut self.at);
        let values = std::mem::take(&mut self.values);
        let kept = at.into_iter().zip(values).filter(|(at, _)| moments.binary_search(at).is_ok());
        (self.at, self.values) = kept.unzip();
    }

    /// Forgets the samples up to this moment.
    pub fn forget_until(&mut self, until: i64) {
        let gone = self.at.partition_point(|at| *at <= until);
        self.at.drain(..gone);
        self.values.drain(..gone.min(self.values.len()));
    }

    /// Adds the samples of another series that counts as the same. Where both have one, the smaller value stands: of the
    /// moments since when they are active, the earlier one.
    pub fn join(&mut self, other: Self) {
        let mut all: Vec<(i64, f64)> = Vec::with_capacity(self.at.len() + other.at.len());
        let has_values = !self.values.is_empty() || !other.values.is_empty();
        for one in [std::mem::take(self), other] {
            let values = one.values.into_iter().chain(std::iter::repeat(f64::INFINITY));
            all.extend(one.at.into_iter().zip(values));
            self.labels = one.labels;
        }
        all.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        all.dedup_by_key(|(at, _)| *at);
        let (at, values): (Vec<i64>, Vec<f64>) = all.into_iter().unzip();
        (self.at, self.values) = (at, if has_values { values } else { Vec::new() });
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
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    is_partial: bool,
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

/// The samples of an answer.
///
/// # Errors
/// With what Prometheus says, or what is wrong with its answer.
pub fn read(body: &[u8], wanted: Wanted) -> Result<Samples, Problem> {
    match wanted {
        Wanted::Times => rows::<Points<false>>(body, |points| points.0),
        Wanted::Values => rows::<Points<true>>(body, |points| points.0),
    }
}

fn rows<'de, S: Deserialize<'de> + Default>(
    body: &'de [u8],
    taken: fn(S) -> (Vec<i64>, Vec<f64>),
) -> Result<Samples, Problem> {
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
    let partial = answer.is_partial.then(|| "the answer is marked as partial".to_owned());
    Ok(Samples { series: series.collect(), lacks: answer.warnings.into_iter().next().or(partial) })
}

/// `[[1700000000.123, "1"], ...]`: times, and values where they are wanted.
#[derive(Default)]
struct Points<const VALUES: bool>((Vec<i64>, Vec<f64>));

impl<'de, const VALUES: bool> Deserialize<'de> for Points<VALUES> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All<const VALUES: bool>;
        impl<'de, const VALUES: bool> Visitor<'de> for All<VALUES> {
            type Value = Points<VALUES>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of samples")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Points<VALUES>, A::Error> {
                let (mut at, mut values) = (Vec::new(), Vec::new());
                while let Some((secs, Value(value))) = list.next_element::<(f64, Value)>()? {
                    // VictoriaMetrics gives the mark that a series has ended as a sample of its own, and Prometheus does not.
                    if value.is_nan() {
                        continue;
                    }
                    at.push((secs * 1000.0).round() as i64);
                    if VALUES {
                        values.push(value);
                    }
                }
                Ok(Points((at, values)))
            }
        }
        from.deserialize_seq(All)
    }
}

/// A sample's value: a number in quotes.
struct Value(f64);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Quoted;
        impl Visitor<'_> for Quoted {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in quotes")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                text.parse().map(Value).map_err(E::custom)
            }
            fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
                Ok(Value(f64::NAN))
            }
        }
        from.deserialize_any(Quoted)
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
        let Samples { series, lacks } = read(body, Wanted::Values).expect("it reads");
        assert_eq!((series.len(), lacks), (1, None));
        assert_eq!(series[0].labels.keys().collect::<Vec<_>>(), ["alertname"]);
        assert_eq!(series[0].at, [1_700_000_000_000, 1_700_000_060_123]);
        assert_eq!(series[0].values, [1.0, 1.0]);
        let times = read(body, Wanted::Times).expect("it reads").series;
        assert_eq!((times[0].at.len(), times[0].values.capacity()), (2, 0), "no room for what is always one");
    }

    #[test]
    fn the_mark_of_an_end_is_no_sample() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{},"values":[[60,"1"],[120,"NaN"],[180,null],[240,"+Inf"]]}]}}"#;
        for wanted in [Wanted::Times, Wanted::Values] {
            assert_eq!(read(body, wanted).expect("it reads").series[0].at, [60_000, 240_000]);
        }
    }

    #[test]
    fn an_answer_that_is_not_whole_says_so() {
        let whole = r#""status":"success","data":{"resultType":"matrix","result":[]}"#;
        let lacks = |more: &str| {
            read(format!("{{{whole}{more}}}").as_bytes(), Wanted::Times).expect("it reads").lacks
        };
        assert_eq!(lacks(""), None);
        assert_eq!(lacks(r#","warnings":["store gone"],"infos":["x"]"#).as_deref(), Some("store gone"));
        assert_eq!(lacks(r#","isPartial":true"#).as_deref(), Some("the answer is marked as partial"));
        assert_eq!(lacks(r#","isPartial":false,"infos":["is this a counter?"]"#), None);
    }

    #[test]
    fn series_that_count_as_one_have_all_their_moments_once_and_the_earlier_begin() {
        let series = |at: &[i64], values: &[f64]| Series {
            labels: Labels::new(),
            at: at.to_vec(),
            values: values.to_vec(),
        };
        let mut values = series(&[1, 2, 4], &[10.0, 10.0, 10.0]);
        values.join(series(&[2, 3], &[5.0, 20.0]));
        assert_eq!(values, series(&[1, 2, 3, 4], &[10.0, 5.0, 20.0, 10.0]));
        let mut times = series(&[5], &[]);
        times.join(series(&[1, 5], &[]));
        assert_eq!(times, series(&[1, 5], &[]));
    }

    #[test]
    fn what_is_no_matrix_is_said() {
        let refused = br#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
        let read = |body: &[u8]| read(body, Wanted::Times);
        let (kind, error) = ("execution".to_owned(), "too many samples".to_owned());
        assert_eq!(read(refused), Err(Problem::Said { kind, error }));
        let vector = br#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        let said = |body: &[u8]| match read(body) {
            Err(Problem::NoAnswer(problem)) => problem,
            other => panic!("{other:?}"),
        };
        assert_eq!(said(vector), "a vector came back, raw samples were asked for");
        assert!(said(b"<html>").starts_with("an answer that is not Prometheus'"));
    }
}
