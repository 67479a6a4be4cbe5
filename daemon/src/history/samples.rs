//! Raw samples of series as Prometheus answers them, of which only labels and times are kept: the value of `ALERTS` is
//! always one. Reads in one pass, and must never build a tree of the whole answer.

use std::fmt;

use paramedic_policies::alert::Labels;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};

/// One series of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Its labels, without `__name__` and `alertstate`.
    pub labels: Labels,
    /// When it had a sample: milliseconds since the Unix epoch, in order.
    pub at: Vec<i64>,
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
    values: Times,
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
        Series { labels, at: row.values.0 }
    });
    Ok(series.collect())
}

/// The times of `[[1700000000.123, "1"], ...]`.
#[derive(Default)]
struct Times(Vec<i64>);

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Times;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of samples")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Times, A::Error> {
                let mut times = Vec::new();
                while let Some(Time(at)) = list.next_element()? {
                    times.push(at);
                }
                Ok(Times(times))
            }
        }
        from.deserialize_seq(All)
    }
}

struct Time(i64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time and a value")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Time, A::Error> {
                let secs: f64 = pair.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                pair.next_element::<IgnoredAny>()?.ok_or_else(|| de::Error::invalid_length(1, &self))?;
                Ok(Time((secs * 1000.0).round() as i64))
            }
        }
        from.deserialize_seq(One)
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
