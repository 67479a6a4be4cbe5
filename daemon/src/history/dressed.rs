//! Series with the labels that the daemon would have got: some hidden, one added. Two that differed in these alone are one
//! alert then, with the moments of both; what each of them did is kept until nobody asks any more.

use std::collections::HashMap;

use paramedic_policies::alert::Labels;

use super::samples::Series;
use crate::redaction::Redactor;

/// What every alert carries that Prometheus adds on its way out, such as the cluster's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The label.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// How labels change on their way to the daemon.
#[derive(Debug, Clone)]
pub struct Dress {
    /// A label that alerts get where they have none of that name.
    pub added: Option<Added>,
    /// What is hidden in labels.
    pub redactor: Redactor,
}

impl Dress {
    /// Labels as the daemon would have got them.
    pub fn put_on(&self, labels: &mut Labels) {
        self.redactor.labels(labels);
        if let Some(Added { name, value }) = &self.added
            && !labels.contains_key(name)
        {
            labels.insert(name.clone(), value.clone());
        }
    }
}

/// Series of a stretch, each with labels of its own.
#[derive(Debug, Default)]
pub struct Dressed {
    /// The series.
    pub series: Vec<Series>,
    /// Of those that were several: when each of them had a sample, by the labels that it has in Prometheus.
    several: HashMap<Labels, HashMap<Labels, Vec<i64>>>,
}

impl Dressed {
    /// Dresses them, and joins those that are one then.
    pub fn of(series: Vec<Series>, dress: &Dress) -> Self {
        let mut dressed = Self::default();
        let (mut known, mut bare): (HashMap<Labels, usize>, Vec<Labels>) = (HashMap::new(), Vec::new());
        for mut one in series {
            let own = one.labels.clone();
            dress.put_on(&mut one.labels);
            let Some(first) = known.get(&one.labels).copied() else {
                known.insert(one.labels.clone(), dressed.series.len());
                bare.push(own);
                dressed.series.push(one);
                continue;
            };
            let Some((joined, of_first)) = dressed.series.get_mut(first).zip(bare.get(first)) else {
                continue;
            };
            let several = dressed.several.entry(one.labels.clone());
            let several = several.or_insert_with(|| [(of_first.clone(), joined.at.clone())].into());
            several.insert(own, one.at.clone());
            joined.join(one);
        }
        dressed
    }

    /// The labels of each alert, with the moments of each series that is one of it. Two that were joined may be of two rules
    /// that are evaluated some seconds apart: what lies between their moments is no interval of either.
    pub fn apart(&self) -> impl Iterator<Item = (&Labels, &[i64])> {
        self.series.iter().flat_map(|one| {
            let several = self.several.get(&one.labels);
            let alone = several.is_none().then_some(one.at.as_slice());
            let joined = several.into_iter().flat_map(HashMap::values).map(Vec::as_slice);
            alone.into_iter().chain(joined).map(|at| (&one.labels, at))
        })
    }

    /// When the alerts fired, for whoever looks them up by labels.
    pub fn fired(&self) -> Fired<'_> {
        let by_labels = self.series.iter().map(|one| (&one.labels, one.at.as_slice())).collect();
        Fired { by_labels, several: &self.several }
    }
}

/// As they are, none joined.
impl From<Vec<Series>> for Dressed {
    fn from(series: Vec<Series>) -> Self {
        Self { series, several: HashMap::new() }
    }
}

/// When alerts fired.
#[derive(Debug)]
pub struct Fired<'a> {
    by_labels: HashMap<&'a Labels, &'a [i64]>,
    several: &'a HashMap<Labels, HashMap<Labels, Vec<i64>>>,
}

impl Fired<'_> {
    /// When the alert fired that has these labels in Prometheus, and those once it is dressed.
    pub fn of(&self, own: &Labels, dressed: &Labels) -> Option<&[i64]> {
        match self.several.get(dressed) {
            Some(several) => several.get(own).map(Vec::as_slice),
            None => self.by_labels.get(dressed).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(user: &str) -> Labels {
        [("alertname", "A"), ("user", user)].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn alerts_that_become_one_have_the_moments_of_both_and_each_remembers_its_own() {
        let redactor = Redactor { labels: ["user".to_owned()].into(), ..Redactor::default() };
        let added = Some(Added { name: "cluster".to_owned(), value: "eu".to_owned() });
        let series =
            |user: &str, at: &[i64]| Series { labels: labels(user), at: at.to_vec(), values: vec![] };
        let (ada, bob) = ("ada@corp.example", "bob@corp.example");
        let all = vec![series(ada, &[1, 2, 9]), series("-", &[7]), series(bob, &[4, 9])];
        let dressed = Dressed::of(all, &Dress { added, redactor });
        let told: Vec<(&str, &[i64])> =
            dressed.series.iter().map(|one| (one.labels["user"].as_str(), one.at.as_slice())).collect();
        assert_eq!(told, [("[email]", &[1, 2, 4, 9][..]), ("-", &[7])]);
        assert!(dressed.series.iter().all(|one| one.labels["cluster"] == "eu"));
        let fired = dressed.fired();
        let of = |user: &str, index: usize| fired.of(&labels(user), &dressed.series[index].labels);
        assert_eq!((of(ada, 0), of(bob, 0)), (Some(&[1, 2, 9][..]), Some(&[4, 9][..])));
        assert_eq!(of("eve@corp.example", 0), None, "it was pending alone");
        assert_eq!(of("-", 1), Some(&[7][..]));
    }
}
