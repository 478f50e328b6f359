package observe

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the gateway's Prometheus metrics. Labels take values from
// configuration and from FHIR's code lists only, so their number is bounded.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	gateway  *prometheus.HistogramVec
	upstream *prometheus.HistogramVec
	aborted  *prometheus.CounterVec
	inFlight prometheus.Gauge
	reloads  *prometheus.CounterVec
	reloaded prometheus.Gauge
	guesses  *prometheus.CounterVec
}

// gatewayBuckets and upstreamBuckets are in seconds: our own time is measured
// in microseconds, a hospital's in tenths of a second.
var (
	gatewayBuckets  = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1, 5}
	upstreamBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
)

// NewMetrics returns metrics in a registry of their own, together with those
// of the Go runtime and the process.
func NewMetrics(version string) *Metrics {
	labels := []string{"hospital", "interaction"}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fhirgate_requests_total", Help: "Finished calls by hospital, FHIR interaction and HTTP status.",
		}, append(labels, "status")),
		gateway: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fhirgate_gateway_seconds", Help: "Time of a call spent in the gateway itself.", Buckets: gatewayBuckets,
		}, labels),
		upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fhirgate_upstream_seconds", Help: "Time of a call spent waiting for the hospital.", Buckets: upstreamBuckets,
		}, labels),
		aborted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fhirgate_aborted_answers_total", Help: "Answers broken off after they had begun, so that no client takes half for a whole.",
		}, labels),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fhirgate_requests_in_flight", Help: "Calls under way.",
		}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fhirgate_config_reloads_total", Help: "Reloads of routes, transforms and policies by outcome.",
		}, []string{"outcome"}),
		reloaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fhirgate_config_last_reload_successful", Help: "1 when the configuration on disk is the one in force, 0 when a reload was refused.",
		}),
	}
	m.guesses = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fhirgate_unknown_credentials_total", Help: "Credentials that gave no access, by the way in that they were presented for.",
	}, []string{"way"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fhirgate_build_info", Help: "Always 1; the version is the label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.reloaded.Set(1)
	m.registry.MustRegister(m.requests, m.gateway, m.upstream, m.aborted, m.inFlight, m.reloads, m.reloaded, m.guesses, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Guessed counts a credential that gave no access.
func (m *Metrics) Guessed(way string) { m.guesses.WithLabelValues(way).Inc() }

// Begin counts a call as under way; the returned function ends it.
func (m *Metrics) Begin() (end func()) {
	m.inFlight.Inc()
	return m.inFlight.Dec
}

// Record counts a finished call.
func (m *Metrics) Record(c *Call) {
	m.requests.WithLabelValues(c.Hospital, c.Interaction, strconv.Itoa(c.Status)).Inc()
	m.gateway.WithLabelValues(c.Hospital, c.Interaction).Observe((c.Total - c.Upstream).Seconds())
	if c.Upstream > 0 {
		m.upstream.WithLabelValues(c.Hospital, c.Interaction).Observe(c.Upstream.Seconds())
	}
	if c.Aborted {
		m.aborted.WithLabelValues(c.Hospital, c.Interaction).Inc()
	}
}

// Reloaded counts a reload; ok says whether its configuration was taken.
func (m *Metrics) Reloaded(ok bool) {
	outcome, value := "kept-old", 0.0
	if ok {
		outcome, value = "taken", 1
	}
	m.reloads.WithLabelValues(outcome).Inc()
	m.reloaded.Set(value)
}
