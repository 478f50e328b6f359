package observe

import "github.com/prometheus/client_golang/prometheus"

// TrailState is what can be told of the audit trail at any moment.
type TrailState struct {
	Written uint64 // records since the start
	Lost    uint64 // calls without a record since the start
	Queued  int    // records that wait
	Down    bool   // it cannot be written
}

var (
	trailWritten = prometheus.NewDesc("fhirgate_audit_records_total", "Records that the audit trail has taken.", nil, nil)
	trailLost    = prometheus.NewDesc("fhirgate_audit_lost_total", "Calls of which the audit trail has no record.", nil, nil)
	trailQueued  = prometheus.NewDesc("fhirgate_audit_queued", "Records that wait to be written.", nil, nil)
	trailDown    = prometheus.NewDesc("fhirgate_audit_down", "1 while the audit trail cannot be written.", nil, nil)
)

// WatchTrail makes every scrape ask state how the audit trail is.
func (m *Metrics) WatchTrail(state func() TrailState) { m.registry.MustRegister(trail(state)) }

type trail func() TrailState

// Describe implements prometheus.Collector.
func (t trail) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{trailWritten, trailLost, trailQueued, trailDown} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (t trail) Collect(out chan<- prometheus.Metric) {
	state := t()
	down := 0.0
	if state.Down {
		down = 1
	}
	out <- prometheus.MustNewConstMetric(trailWritten, prometheus.CounterValue, float64(state.Written))
	out <- prometheus.MustNewConstMetric(trailLost, prometheus.CounterValue, float64(state.Lost))
	out <- prometheus.MustNewConstMetric(trailQueued, prometheus.GaugeValue, float64(state.Queued))
	out <- prometheus.MustNewConstMetric(trailDown, prometheus.GaugeValue, down)
}
