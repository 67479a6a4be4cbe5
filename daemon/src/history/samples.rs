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
    /// Their values: always one for `ALERTS`, and for `ALERTS_FOR_STATE` since when, in seconds.
    pub values: Vec<f64>,
}

impl Series {
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
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    #[serde(default)]
    result: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    metric: Labels,
    #[serde(default)]
    values: Samples,
}

/// The series of an answer.
///
/// # Errors
/// With what Prometheus says, or what is wrong with its answer.
pub fn read(body: &[u8]) -> Result<Vec<Series>, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        let begin = String::from_utf8_lossy(body.get(..200.min(body.len())).unwrap_or_default()).into_owned();
        format!("an answer that is not Prometheus': {error}; it begins with {begin:?}")
    })?;
    if let Some(error) = answer.error {
        return Err(error);
    }
    let data = answer.data.ok_or("an answer without data")?;
    if data.result_type != "matrix" {
        return Err(format!("a {} came back, raw samples were asked for", data.result_type));
    }
    let series = data.result.into_iter().map(|row| {
        let mut labels = row.metric;
        labels.remove("__name__");
        labels.remove("alertstate");
        Series { labels, at: row.values.at, values: row.values.values }
    });
    Ok(series.collect())
}

/// `[[1700000000.123, "1"], ...]`.
#[derive(Default)]
struct Samples {
    at: Vec<i64>,
    values: Vec<f64>,
}

impl<'de> Deserialize<'de> for Samples {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Samples;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of samples")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Samples, A::Error> {
                let mut samples = Samples::default();
                while let Some((secs, value)) = list.next_element::<(f64, Cow<'de, str>)>()? {
                    samples.at.push((secs * 1000.0).round() as i64);
                    samples.values.push(value.parse().map_err(de::Error::custom)?);
                }
                Ok(samples)
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
        let series = read(body).expect("it reads");
        assert_eq!(series.len(), 1);
        assert_eq!(series[0].labels.keys().collect::<Vec<_>>(), ["alertname"]);
        assert_eq!(series[0].at, [1_700_000_000_000, 1_700_000_060_123]);
        assert_eq!(series[0].values, [1.0, 1.0]);
    }

    #[test]
    fn what_is_no_matrix_is_said() {
        let refused = br#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
        assert_eq!(read(refused), Err("too many samples".to_owned()));
        let vector = br#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        assert_eq!(read(vector), Err("a vector came back, raw samples were asked for".to_owned()));
        assert!(read(b"<html>").expect_err("no JSON").starts_with("an answer that is not Prometheus'"));
    }
}
