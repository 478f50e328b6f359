package gateway

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"fhirgate/facade"
	"fhirgate/gateway/adminapi"
	"fhirgate/internal/strict"
	"fhirgate/observe"
	"fhirgate/policies"
)

// settle is how long files must be quiet before a change is read: editors and
// deployments write several at once.
const settle = 200 * time.Millisecond

// readAtStart is said of mistakes in tyk.conf, which may be mended there by now.
const readAtStart = " (tyk.conf is read at the start: restart after changing it, or put the plan back)"

// reloader keeps the facade's snapshot in step with the files.
type reloader struct {
	fsys      fs.FS
	folders   Folders
	publicURL string
	linkKeys  string // file of the keys that seal links
	shared    *shared
	facade    *facade.Facade
	portal    func(strict.Folder[*policies.Plan]) strict.Problems // what the portal misses in the plans
	policies  func(context.Context, *Files) error                 // hands changed plans to Tyk
	metrics   *observe.Metrics
	log       *slog.Logger
	requests  chan chan error
	last      atomic.Pointer[adminapi.Reloading] // set by note
}

// reload reads and checks everything, then swaps it in at once. On a mistake the
// configuration in force stays, and the error says where each mistake is.
func (r *reloader) reload(ctx context.Context) error {
	err := r.try(ctx)
	if err != nil && ctx.Err() != nil {
		return err // the gateway is being stopped, which is no fault of the files
	}
	r.metrics.Reloaded(err == nil)
	r.note(err)
	var problems strict.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			r.log.Error("the configuration was not reloaded: the one in force stays", "file", p.File, "line", p.Line, "column", p.Column, "problem", p.Text)
		}
	case err != nil:
		r.log.Error("the configuration was not reloaded: the one in force stays", "problem", err)
	default:
		snapshot := r.facade.Snapshot()
		r.log.Info("the configuration was reloaded", "hospitals", len(snapshot.Hospitals), "plans", len(snapshot.Plans))
	}
	return err
}

// note keeps how a reload went, for administrators. The start counts as one.
func (r *reloader) note(err error) {
	snapshot := r.facade.Snapshot()
	outcome := &adminapi.Reloading{
		At: time.Now().UTC(), Taken: err == nil, Problems: []string{},
		Hospitals: len(snapshot.Hospitals), Plans: len(snapshot.Plans),
	}
	var problems strict.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			outcome.Problems = append(outcome.Problems, p.Error())
		}
	case err != nil:
		outcome.Problems = append(outcome.Problems, err.Error())
	}
	r.last.Store(outcome)
}

// lastReload returns how the last reload went.
func (r *reloader) lastReload() adminapi.Reloading { return *r.last.Load() }

func (r *reloader) try(ctx context.Context) error {
	read := readFolders(r.fsys, r.folders)
	settings := r.portal(read.plans)
	for i := range settings {
		settings[i].Text += readAtStart
	}
	files, err := read.files(settings)
	if err != nil {
		return err
	}
	old := r.facade.Snapshot()
	sealer, err := newSealer(r.linkKeys)
	if err != nil {
		return err
	}
	snapshot, err := files.Snapshot(r.publicURL, old, r.shared)
	if err != nil {
		return err
	}
	if !maps.EqualFunc(old.Plans, snapshot.Plans, samePlan) {
		if err := r.policies(ctx, files); err != nil {
			return err
		}
	}
	r.facade.Rekey(sealer)
	r.facade.Swap(snapshot)
	closeReplaced(old, snapshot)
	return nil
}

// samePlan reports whether Tyk would see the same policy. Telling Tyk takes more
// than a second, so it is not told of new hospitals.
func samePlan(a, b *policies.Plan) bool { return bytes.Equal(a.Raw, b.Raw) }

// ask has run reload, and returns its error.
func (r *reloader) ask(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case r.requests <- done:
		return <-done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run reloads at SIGHUP, when asked, and when a file changes, one after the
// other, until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	for _, folder := range []string{r.folders.Routes, r.folders.Transforms, r.folders.Policies} {
		if err := watcher.Add(folder); err != nil {
			return err
		}
	}
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			_ = r.reload(ctx) // it has logged what was wrong
		case done := <-r.requests:
			done <- r.reload(ctx)
		case event := <-watcher.Events:
			if !event.Has(fsnotify.Chmod) || event.Op != fsnotify.Chmod {
				quiet.Reset(settle)
			}
		case err := <-watcher.Errors:
			r.log.Warn("watching the configuration failed; SIGHUP still reloads", "problem", err)
		case <-quiet.C:
			_ = r.reload(ctx) // it has logged what was wrong
		}
	}
}
