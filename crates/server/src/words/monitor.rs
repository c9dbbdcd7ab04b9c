//! `mntr`: everything that is measured, by ZooKeeper's names.

use std::fmt;

use zooid_transport::Latency;

use super::java::Double;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// Words.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Real(f64),
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Real(number) => Double(*number).fmt(f),
        }
    }
}

/// The answer to `mntr`, put together line by line. Names have no prefix here.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    text: String,
}

impl Monitor {
    /// Adds a line.
    pub fn add(&mut self, name: &str, metric: Metric) {
        self.text.push_str(&format!("zk_{name}\t{metric}\n"));
    }

    /// Adds a whole number; one that Java has no number for counts as its largest.
    pub fn integer(&mut self, name: &str, number: impl TryInto<i64>) {
        self.add(name, Metric::Integer(number.try_into().unwrap_or(i64::MAX)));
    }

    /// Adds the five lines of what was measured many times.
    pub fn summary(&mut self, name: &str, count: u64, sum: u64, min: u64, max: u64) {
        let avg = if count == 0 { 0.0 } else { sum as f64 / count as f64 };
        self.add(&format!("avg_{name}"), Metric::Real(avg));
        self.integer(&format!("min_{name}"), min);
        self.integer(&format!("max_{name}"), max);
        self.integer(&format!("cnt_{name}"), count);
        self.integer(&format!("sum_{name}"), sum);
    }

    /// Adds the nine lines of how long something took.
    pub fn latency(&mut self, name: &str, latency: &Latency) {
        self.add(&format!("avg_{name}"), Metric::Real(latency.avg_ms()));
        self.integer(&format!("min_{name}"), latency.min_ms());
        self.integer(&format!("max_{name}"), latency.max_ms());
        self.integer(&format!("cnt_{name}"), latency.count());
        self.integer(&format!("sum_{name}"), latency.sum_ms());
        for (percentile, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)] {
            self.integer(&format!("{percentile}_{name}"), latency.percentile_ms(share));
        }
    }

    /// All lines.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mntr_says() {
        let mut monitor = Monitor::default();
        monitor.add("server_state", Metric::Text("standalone".to_string()));
        monitor.add("avg_latency", Metric::Real(0.0));
        monitor.integer("znode_count", 7usize);
        monitor.integer("far_too_much", u64::MAX);
        monitor.summary("fsynctime", 3, 10, 2, 5);
        monitor.summary("dbinittime", 0, 0, 0, 0);
        assert_eq!(
            monitor.into_text(),
            "zk_server_state\tstandalone\n\
             zk_avg_latency\t0.0\n\
             zk_znode_count\t7\n\
             zk_far_too_much\t9223372036854775807\n\
             zk_avg_fsynctime\t3.3333\n\
             zk_min_fsynctime\t2\n\
             zk_max_fsynctime\t5\n\
             zk_cnt_fsynctime\t3\n\
             zk_sum_fsynctime\t10\n\
             zk_avg_dbinittime\t0.0\n\
             zk_min_dbinittime\t0\n\
             zk_max_dbinittime\t0\n\
             zk_cnt_dbinittime\t0\n\
             zk_sum_dbinittime\t0\n"
        );
    }

    #[test]
    fn latencies_have_percentiles() {
        let mut monitor = Monitor::default();
        monitor.latency("readlatency", &Latency::default());
        assert_eq!(
            monitor.into_text(),
            "zk_avg_readlatency\t0.0\n\
             zk_min_readlatency\t0\n\
             zk_max_readlatency\t0\n\
             zk_cnt_readlatency\t0\n\
             zk_sum_readlatency\t0\n\
             zk_p50_readlatency\t0\n\
             zk_p95_readlatency\t0\n\
             zk_p99_readlatency\t0\n\
             zk_p999_readlatency\t0\n"
        );
    }
}
