package audit

import (
	"errors"
	"time"
)

func newSyslogSink(Syslog, string, func() time.Time) (sink, error) {
	return nil, errors.New("syslog: not there yet")
}
