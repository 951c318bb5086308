package record

import (
	"math/big"
	"sync"

	"github.com/yba-health/yba/pkg/ucum"
)

// units remembers the units that resources use, which are few.
type units struct {
	mu   sync.RWMutex
	read map[string]*measured
}

// measured is a unit of UCUM; plain tells that its amounts are its values.
type measured struct {
	ucum.Unit
	plain bool
}

const maxUnits = 10_000

// get returns nil for what is no unit.
func (u *units) get(code string) *measured {
	u.mu.RLock()
	found, ok := u.read[code]
	u.mu.RUnlock()
	if ok {
		return found
	}
	if parsed, err := ucum.Parse(code); err == nil {
		found = &measured{parsed, parsed.Offset.Sign() == 0 && parsed.Factor.Cmp(big.NewRat(1, 1)) == 0}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.read == nil || len(u.read) > maxUnits {
		u.read = map[string]*measured{}
	}
	u.read[code] = found
	return found
}
