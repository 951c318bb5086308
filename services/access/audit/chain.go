package audit

import (
	"bytes"
	"fmt"
)

// BrokenError names the first link of the chain that does not hold.
type BrokenError struct {
	Seq  int64
	What string
}

// Error tells where the chain breaks and why.
func (b *BrokenError) Error() string {
	return fmt.Sprintf("the audit log is broken at entry %d: %s", b.Seq, b.What)
}

// Chain verifies entries that come in order. The zero value expects the first
// entry of the log.
type Chain struct {
	Seq  int64
	Hash []byte
}

// Next checks one entry against those before it.
func (c *Chain) Next(e Entry) error {
	switch {
	case e.Seq != c.Seq+1:
		return &BrokenError{c.Seq + 1, fmt.Sprintf("entries %d to %d are missing", c.Seq+1, e.Seq-1)}
	case !bytes.Equal(e.Previous, c.Hash):
		return &BrokenError{e.Seq, "it does not continue the entry before it"}
	case !bytes.Equal(e.Hash, e.Sum(c.Hash)):
		return &BrokenError{e.Seq, "its content is not what was written"}
	}
	c.Seq, c.Hash = e.Seq, e.Hash
	return nil
}
