package main

import (
	"testing"
	"time"
)

const wrkOutput = `Running 4s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.01ms  620.00us  12.00ms   90.00%
    Req/Sec     5.30k   100.00     5.50k    75.00%
  Latency Distribution
     50%    5.99ms
     75%    6.20ms
     90%    6.60ms
     99%  910.00us
  21090 requests in 4.00s, 70.30MB read
Requests/sec:   5270.11
Transfer/sec:     17.57MB
`

func TestParseWrk(t *testing.T) {
	s, requests, err := parseWrk([]byte(wrkOutput))
	if err != nil || requests != 21090 || s.rate != 5270.11 || s.p50 != 5990*time.Microsecond || s.p99 != 910*time.Microsecond {
		t.Errorf("%+v, %d requests, %v", s, requests, err)
	}
	for _, out := range []string{"", wrkOutput + "  Non-2xx or 3xx responses: 3\n", wrkOutput + "  Socket errors: connect 0, read 1, write 0, timeout 0\n"} {
		if _, _, err := parseWrk([]byte(out)); err == nil {
			t.Errorf("accepted %q", out)
		}
	}
}

func TestBodies(t *testing.T) {
	if n := len(patientBody("http://127.0.0.1:12345/r4", "p1", 3000)); n < 2800 || n > 3200 {
		t.Errorf("the Patient has %d bytes", n)
	}
	if n := len(searchsetBody("http://127.0.0.1:12345/r4")); n < 22_000 || n > 24_000 {
		t.Errorf("the searchset has %d bytes", n)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 2}, 3}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median(%v) = %v", c.in, got)
		}
	}
}
