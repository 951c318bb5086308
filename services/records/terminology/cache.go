package terminology

import (
	"slices"
	"sync"
)

// maxCached bounds the codes that are remembered, about 100 bytes each.
const maxCached = 200_000

// cache remembers the codes of value sets by all that they were made from. A
// newer version has another key; what is not asked for again goes first.
type cache struct {
	mu    sync.Mutex
	lists map[string][]Coding
	order []string // the longest unused first
	size  int
}

func (c *cache) get(key string) ([]Coding, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, ok := c.lists[key]
	if ok {
		c.touch(key)
	}
	return list, ok
}

func (c *cache) touch(key string) {
	if i := slices.Index(c.order, key); i >= 0 {
		c.order = slices.Delete(c.order, i, i+1)
	}
	c.order = append(c.order, key)
}

func (c *cache) put(key string, list []Coding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lists == nil {
		c.lists = map[string][]Coding{}
	}
	if _, twice := c.lists[key]; twice {
		return
	}
	c.lists[key] = list
	c.size += len(list) + 1
	c.touch(key)
	for c.size > maxCached && len(c.order) > 1 {
		c.size -= len(c.lists[c.order[0]]) + 1
		delete(c.lists, c.order[0])
		c.order = c.order[1:]
	}
}
