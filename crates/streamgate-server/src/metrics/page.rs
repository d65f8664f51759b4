//! Builder of the page of metrics: names, help texts, and the metrics themselves.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

/// A gauge that is on the page only once it is set.
pub(super) type OptionalGauge = Family<[(&'static str, &'static str); 0], Gauge>;

/// Builder of the page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) registry: Registry,
    pub(super) names: Vec<(String, &'static str)>,
}

impl Page {
    /// Adds a gauge, a histogram, or a family of those.
    pub(super) fn add<M: Metric + Clone>(
        &mut self,
        name: &'static str,
        help: &'static str,
        metric: M,
    ) -> M {
        self.names.push((name.to_owned(), help));
        self.registry.register(name, help, metric.clone());
        metric
    }

    /// Adds a gauge.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Gauge {
        self.add(name, help, Gauge::default())
    }

    /// Adds a gauge that is on the page only once it is set.
    pub(super) fn optional_gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
    ) -> OptionalGauge {
        self.add(name, help, OptionalGauge::default())
    }

    /// Adds a family of gauges, one for each value of its label.
    pub(super) fn gauges<const N: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: [&'static str; N],
    ) -> [Gauge; N] {
        let family = Family::<[(&'static str, &'static str); 1], Gauge>::default();
        let family = self.add(name, help, family);
        values.map(|value| family.get_or_create_owned(&[(label, value)]))
    }

    /// Adds a counter; the text format appends `_total` to its name.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> Counter {
        self.total(name, help, Counter::default())
    }

    /// Adds a family of counters, one for each value of its label. All of them exist from the
    /// start: a rate over a counter that appears with its first event misses that event.
    pub(super) fn counters<const N: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: [&'static str; N],
    ) -> [Counter; N] {
        let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let family = self.total(name, help, family);
        values.map(|value| family.get_or_create_owned(&[(label, value)]))
    }

    /// Adds an existing counter, or a family of counters.
    pub(super) fn total<M: Metric + Clone>(
        &mut self,
        name: &'static str,
        help: &'static str,
        metric: M,
    ) -> M {
        self.names.push((format!("{name}_total"), help));
        self.registry.register(name, help, metric.clone());
        metric
    }
}
