//! Medians and spreads.

use crate::report::figure;

/// Measurements of one thing, in order of size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        Samples(values)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Where `share` of all are below, between two neighbours if need be; not a number if there are none.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let Some(last) = self.0.len().checked_sub(1) else { return f64::NAN };
        let mut position = share.clamp(0.0, 1.0) * f64::from(u32::try_from(last).unwrap_or(u32::MAX));
        let mut values = self.0.iter().copied();
        let mut below = values.next().unwrap_or(f64::NAN);
        for above in values {
            if position < 1.0 {
                return below + (above - below) * position;
            }
            (below, position) = (above, position - 1.0);
        }
        below
    }

    /// The same in another unit.
    pub(crate) fn scaled(&self, by: f64) -> Self {
        Samples::new(self.0.iter().map(|value| value * by))
    }

    /// The quartiles around the median: "48.1–50.2".
    pub(crate) fn spread(&self) -> String {
        format!("{}–{}", figure(self.quantile(0.25)), figure(self.quantile(0.75)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let samples = Samples::new([4.0, 1.0, 3.0, 2.0]);
        assert_eq!(
            [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| samples.quantile(share)),
            [1.0, 1.75, 2.5, 3.25, 4.0]
        );
        assert_eq!(Samples::new([7.0]).spread(), "7.00–7.00");
        assert!(Samples::default().median().is_nan());
    }
}
