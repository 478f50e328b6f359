package gateway

import (
	"context"
	"fmt"
	"time"

	"fhirgate/observe"
	"fhirgate/observe/audit"
)

// auditDrain is how long the audit trail may take to write what it holds at a
// stop.
const auditDrain = 10 * time.Second

// openAudit opens the audit trail, or returns nil when the settings want none.
// At a stop everything that it holds is written.
func (s *server) openAudit() (*audit.Trail, error) {
	config := s.config.Settings.Audit
	if config.Sink == audit.SinkOff {
		return nil, nil
	}
	keys, err := symmetricKeys("audit.keys_file", config.KeysFile)
	if err != nil {
		return nil, err
	}
	trail, err := audit.Open(audit.Options{Config: config, Keys: keys, Server: s.config.Settings.PublicURL, Log: s.log})
	if err != nil {
		return nil, fmt.Errorf("the audit trail: %w", err)
	}
	s.metrics.WatchTrail(func() observe.TrailState { return observe.TrailState(trail.Stats()) })
	s.closes(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), auditDrain)
		defer cancel()
		return trail.Close(ctx)
	})
	return trail, nil
}
