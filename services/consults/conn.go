package consults

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	pingEvery = 15 * time.Second
	pingWait  = 10 * time.Second
	writeWait = 10 * time.Second
	// outgoing bounds what waits for a slow browser; more than that and the
	// socket is given up: it comes back with its resume token.
	outgoing = 256
)

// conn writes to a WebSocket from one goroutine and keeps it alive.
type conn struct {
	ws     *websocket.Conn
	out    chan []byte
	cancel context.CancelFunc

	mu     sync.Mutex
	reason string
	closed bool
}

func newConn(ws *websocket.Conn, cancel context.CancelFunc) *conn {
	return &conn{ws: ws, out: make(chan []byte, outgoing), cancel: cancel}
}

// send queues a message; it never waits.
func (c *conn) send(m any) {
	b, err := json.Marshal(m)
	if err != nil {
		return // all messages are our own plain types
	}
	c.queue(b)
}

func (c *conn) queue(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	select {
	case c.out <- b:
	default:
		c.closed = true
		close(c.out)
		c.cancel()
	}
}

// end says why and closes the socket when all that waits is out.
func (c *conn) end(reason string) {
	c.send(endedMessage{"ended", reason})
	c.finish(reason)
}

func (c *conn) finish(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed, c.reason = true, reason
		close(c.out)
	}
}

func (c *conn) finished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// run writes until the queue ends or ctx does, and then closes the socket.
func (c *conn) run(ctx context.Context) {
	defer c.cancel()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = c.ws.CloseNow()
			return
		case b, ok := <-c.out:
			if !ok {
				c.mu.Lock()
				reason := c.reason
				c.mu.Unlock()
				_ = c.ws.Close(websocket.StatusNormalClosure, reason)
				return
			}
			writing, done := context.WithTimeout(ctx, writeWait)
			err := c.ws.Write(writing, websocket.MessageText, b)
			done()
			if err != nil {
				_ = c.ws.CloseNow()
				return
			}
		case <-ping.C:
			waiting, done := context.WithTimeout(ctx, pingWait)
			err := c.ws.Ping(waiting)
			done()
			if err != nil {
				_ = c.ws.CloseNow()
				return
			}
		}
	}
}
