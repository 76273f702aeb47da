//! The engine's metrics as flat series, the way Prometheus has them.

use std::collections::BTreeMap;

use lockstock_engine::Metrics;
use lockstock_engine::metrics::{Family, Kind, Sample, Value};

/// The label under which a value of a histogram says which of its series it is in.
const SERIES: &str = "__series";

type Labels = BTreeMap<&'static str, String>;
type Series = (&'static str, Kind, &'static str, Vec<(Labels, f64)>);

/// `[name, kind, help, [[labels, value], ...]]` of each metric. A histogram's values carry the label
/// `__series`: `bucket` (cumulative, with its upper bound as `le`), `sum` or `count`.
pub fn series(metrics: &Metrics) -> Vec<Series> {
    metrics.0.iter().map(|family| (family.name, family.kind, family.help, values(family))).collect()
}

fn values(family: &Family) -> Vec<(Labels, f64)> {
    family.samples.iter().flat_map(flat).collect()
}

fn flat(sample: &Sample) -> Vec<(Labels, f64)> {
    let labels: Labels = sample.labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let with = |series: &str, bound: Option<String>| {
        let mut labels = labels.clone();
        labels.insert(SERIES, series.to_owned());
        labels.extend(bound.map(|bound| ("le", bound)));
        labels
    };
    match &sample.value {
        Value::Number(value) => vec![(labels, *value)],
        Value::Histogram { buckets, sum, count } => buckets
            .iter()
            .map(|(bound, below)| (with("bucket", Some(bound_text(*bound))), number(*below)))
            .chain([(with("sum", None), *sum), (with("count", None), number(*count))])
            .collect(),
    }
}

fn bound_text(bound: f64) -> String {
    if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() }
}

#[expect(clippy::cast_precision_loss, reason = "a count above 2^53 is not reached by counting")]
const fn number(count: u64) -> f64 {
    count as f64
}
