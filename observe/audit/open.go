package audit

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"
)

// Open opens a trail, takes up the chain of its node where it ended, and
// repairs what a killed process left unfinished.
func Open(o Options) (*Trail, error) {
	if o.Config.Sink == SinkOff {
		return &Trail{off: true}, nil
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.retry = cmp.Or(o.retry, 200*time.Millisecond)
	if o.Config.Sink == SinkSyslog {
		// A chain of its own: Verify would miss its records among the files.
		o.Config.Folder = filepath.Join(o.Config.Folder, "syslog")
	}
	ring, err := newKeyring(o.Keys)
	if err != nil {
		return nil, err
	}
	node, release, err := lockFolder(o.Config.Folder, o.Node)
	if err != nil {
		return nil, err
	}
	w, err := newWriter(o, ring, node)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	opened := w.sink.reopen(context.Background())
	if opened != nil && o.Config.Sink == SinkFile {
		return nil, errors.Join(opened, release())
	}
	ctx, stop := context.WithCancel(context.Background())
	t := &Trail{
		refuses: o.Config.WhenDown != Continue,
		now:     o.Now,
		log:     o.Log,
		ring:    ring,
		queue:   newQueue(),
		stop:    stop,
		done:    make(chan struct{}),
		release: release,
	}
	w.trail = t
	if opened != nil {
		w.fail(opened) // the server may come up later
	} else {
		w.open = true
	}
	go func() {
		defer close(t.done)
		defer stop()
		t.err = w.run(ctx)
	}()
	return t, nil
}

// newWriter returns a writer that goes on where the chain of the node ended.
func newWriter(o Options, ring *keyring, node string) (*writer, error) {
	end, err := recoverChain(ring, o.Config.Folder, node, o.Config.Sink == SinkFile, o.Log)
	if err != nil {
		return nil, err
	}
	w := &writer{
		ring:   ring,
		folder: o.Config.Folder,
		server: o.Server,
		now:    o.Now,
		log:    o.Log,
		keep:   time.Duration(o.Config.KeepDays) * 24 * time.Hour,
		retry:  o.retry,
		head:   end.head,
		next:   end.sequence + 1,
		last:   end.hash,
		sink:   o.sink,
	}
	switch {
	case w.sink != nil:
	case o.Config.Sink == SinkSyslog:
		if w.sink, err = newSyslogSink(o.Config.Syslog, node); err != nil {
			return nil, err
		}
	default:
		w.sink = &fileSink{seal: ring.seal, folder: o.Config.Folder, node: node, limit: int64(o.Config.RotateMB) << 20, path: end.path, durable: end.size}
	}
	if end.note != nil {
		w.add(end.note)
	}
	return w, w.head.write(ring, w.folder, w.now())
}
