package store

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

// writeTimeout is how long a client may take to read an answer or a published
// message. miniredis holds its lock while it publishes, so one client that does
// not read would otherwise stop the store once its socket is full.
const writeTimeout = time.Second

// acceptPause is how long to wait after a failure to accept a connection.
const acceptPause = 20 * time.Millisecond

// clients hands connections to miniredis.
type clients struct {
	server   *server.Server
	listener net.Listener

	mu     sync.Mutex
	closed bool
}

// listen accepts clients on a free loopback port.
func (c *clients) listen() (*net.TCPAddr, error) {
	var err error
	if c.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go c.accept()
	return c.listener.Addr().(*net.TCPAddr), nil
}

func (c *clients) accept() {
	for {
		conn, err := c.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of file descriptors: others may become free
			time.Sleep(acceptPause)
		case !c.serve(conn):
			_ = conn.Close()
		}
	}
}

// serve lets miniredis serve a connection, unless the store is closed.
func (c *clients) serve(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.server.ServeConn(impatientConn{conn})
	}
	return !c.closed
}

// close lets nobody in any more.
func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.listener != nil {
		_ = c.listener.Close()
	}
}

// impatientConn closes itself when the other end does not read.
type impatientConn struct{ net.Conn }

func (c impatientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}
