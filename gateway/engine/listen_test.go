package engine

import (
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAListenerThatFailsSaysWhy(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	e := &Engine{log: slog.New(slog.DiscardHandler), server: &http.Server{}, done: make(chan struct{})} //nolint:gosec // it serves nobody
	e.accept(listener)
	<-e.Done()
	require.ErrorIs(t, e.Err(), net.ErrClosed)
}
