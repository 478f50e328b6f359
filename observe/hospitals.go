package observe

import "github.com/prometheus/client_golang/prometheus"

// HospitalState is what can be told of a hospital at any moment.
type HospitalState struct {
	ID          string
	BreakerOpen bool // the hospital is left alone after failures
}

var breakerOpen = prometheus.NewDesc("fhirgate_hospital_breaker_open",
	"1 while the hospital is left alone after failures, 0 while it is called.", []string{"hospital"}, nil)

// Watch makes every scrape ask states how the hospitals are.
func (m *Metrics) Watch(states func() []HospitalState) {
	m.registry.MustRegister(hospitals(states))
}

type hospitals func() []HospitalState

// Describe implements prometheus.Collector.
func (h hospitals) Describe(out chan<- *prometheus.Desc) { out <- breakerOpen }

// Collect implements prometheus.Collector.
func (h hospitals) Collect(out chan<- prometheus.Metric) {
	for _, state := range h() {
		value := 0.0
		if state.BreakerOpen {
			value = 1
		}
		out <- prometheus.MustNewConstMetric(breakerOpen, prometheus.GaugeValue, value, state.ID)
	}
}
